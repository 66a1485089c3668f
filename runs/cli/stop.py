"""Ask runs to finish their step, write a checkpoint and end. A run that does
not is ended by force after a while.

A stopped run can be gone on with: ddpm-tui resume RUN.
"""

from __future__ import annotations

import argparse

from runs.cli.parser import Parser, seconds

EXAMPLES = """
ddpm-tui stop last
ddpm-tui stop mnist-1 mnist-2 --patience 5m
"""


def arguments(parser: Parser) -> None:
    parser.add_argument("runs", nargs="+", metavar="RUN", help="number, name, beginning of a name, or `last`")
    parser.add_argument(
        "--patience",
        type=seconds,
        default=60.0,
        metavar="TIME",
        help="wait so long before forcing it: 90, 90s, 10m (default: 60s)",
    )


def run(args: argparse.Namespace) -> int:
    from runs.cli.opening import directory, find_all, open_catalogue, open_home
    from runs.cli.output import say
    from runs.errors import RunError
    from runs.status import probe
    from runs.stopping import request_stop, stop
    from runs.text import printable

    with open_catalogue(open_home(args)) as catalogue:
        rows = find_all(catalogue, args.runs)
    status = 0
    running = []
    for row in rows:
        if probe(directory(row).path) == "running":
            running.append(row)
            request_stop(directory(row))  # all are asked before any is waited for
        else:
            say(f"{row.name} is not running")
            status = 1
    for row in running:
        say(f"asked {row.name} to stop")
    for row in running:
        try:
            print(printable(f"{row.name} {stop(directory(row), args.patience)}"))
        except RunError:  # it ended between the question and the wait
            print(printable(f"{row.name} {probe(directory(row).path)}"))
    return status
