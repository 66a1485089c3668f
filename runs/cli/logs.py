"""Print the end of a run's log, or follow it until the run has ended."""

from __future__ import annotations

import argparse
import sys

from runs.cli.parser import Parser, whole

EXAMPLES = """
ddpm-tui logs last
ddpm-tui logs mnist-1 -n 500
ddpm-tui logs mnist-1 -f
"""


def arguments(parser: Parser) -> None:
    parser.add_argument("run", metavar="RUN", help="number, name, beginning of a name, or `last`")
    parser.add_argument(
        "-f", "--follow", action="store_true", help="go on printing what is added; Ctrl-C ends it"
    )
    parser.add_argument("-n", "--lines", type=whole(), default=50, metavar="N", help="lines (default: 50)")


def run(args: argparse.Namespace) -> int:
    from runs import logs
    from runs.cli.opening import directory, open_to_read
    from runs.cli.output import say
    from runs.status import probe
    from runs.text import printable

    with open_to_read(args) as catalogue:
        found = directory(catalogue.find(args.run))
    if not args.follow:
        lines = logs.tail(found.log_path, args.lines)
        for line in lines:
            print(printable(line))
        if not lines and args.lines:
            say("the log is empty")
        return 0
    try:
        for line in logs.follow(found.log_path, lambda: probe(found.path) != "running", args.lines):
            print(printable(line), flush=True)
    except KeyboardInterrupt:
        sys.stdout.flush()
    return 0
