"""Rebuild the catalogue from the run directories. It is only an index: nothing
is lost by it.
"""

from __future__ import annotations

import argparse

from runs.cli.parser import Parser

EXAMPLES = """
ddpm-tui reindex
"""


def arguments(parser: Parser) -> None:
    """Only those that every verb has."""


def run(args: argparse.Namespace) -> int:
    from runs.cli.opening import open_home
    from runs.cli.output import warn
    from runs.sync import reindex

    runs = reindex(open_home(args), warn)
    print(f"{runs} {'run' if runs == 1 else 'runs'} in the catalogue")
    return 0
