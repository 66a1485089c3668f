"""Open the app. Leave it with q; the runs go on.

Should the terminal print odd characters when the mouse moves after a
connection was lost, type: reset
"""

from __future__ import annotations

import argparse
import sys

from runs.cli.parser import Parser, UsageError

EXAMPLES = """
ddpm-tui
ddpm-tui --home /data/runs
"""


def arguments(parser: Parser) -> None:
    parser.add_argument("--theme", metavar="NAME", help="colours of the app")


def run(args: argparse.Namespace) -> int:
    from runs.cli.opening import open_home

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("the app needs a terminal; see `ddpm-tui --help` for what works without one")
    home = open_home(args)
    from tui.app import run as run_app  # the app is not needed to see that it cannot open

    run_app(home, theme=args.theme)
    return 0
