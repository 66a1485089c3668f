"""Ask runs to finish their step, write a checkpoint and end. A run that does
not is ended by force after a while.

A stopped run can be gone on with: ddpm-tui resume RUN.
"""

from __future__ import annotations

import argparse
import time

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
    from runs.cli.opening import directory, find_all, open_to_read
    from runs.cli.output import say
    from runs.errors import RunError
    from runs.stopping import request_stop, see_out
    from runs.text import printable

    with open_to_read(args) as catalogue:
        found = [(row.name, directory(row)) for row in find_all(catalogue, args.runs)]
    asked, status = [], 0
    for name, run in found:  # all are asked before any is waited for
        try:
            request_stop(run)
        except RunError as error:
            say(f"ddpm-tui stop: {error}")
            status = 1
        else:
            say(f"asked {name} to stop")
            asked.append((name, run))
    forced_at = time.monotonic() + args.patience
    for name, run in asked:
        try:
            print(printable(f"{name} {see_out(run, max(0.0, forced_at - time.monotonic()))}"), flush=True)
        except RunError as error:
            say(f"ddpm-tui stop: {error}")
            status = 1
    return status
