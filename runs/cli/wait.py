"""Wait until a run has ended, watching it. Exit status 0 if it finished, 1 if it
did not.

Ctrl-C stops the waiting and not the run.
"""

from __future__ import annotations

import argparse
import time

from runs.cli.parser import Parser, seconds

EXAMPLES = """
ddpm-tui wait last && ddpm-tui sample last
ddpm-tui wait mnist-1 --timeout 2h
"""


def arguments(parser: Parser) -> None:
    parser.add_argument("run", metavar="RUN", help="number, name, beginning of a name, or `last`")
    parser.add_argument(
        "--timeout", type=seconds, metavar="TIME", help="give up after 90, 90s, 10m or 2h: exit status 1"
    )
    parser.add_argument("--json", action="store_true", help="print the run as JSON, as `show --json` does")


def run(args: argparse.Namespace) -> int:
    from runs.cli.following import Left, conclude, follow, left
    from runs.cli.interrupts import Interrupts
    from runs.cli.opening import open_to_read

    until = None if args.timeout is None else time.monotonic() + args.timeout
    with Interrupts() as interrupts, open_to_read(args) as catalogue:
        found = catalogue.find(args.run)
        try:
            detail = follow(catalogue, found, interrupts, until=until)
        except Left as error:
            return left(error)
    return conclude(detail, as_json=args.json, program="ddpm-tui wait")
