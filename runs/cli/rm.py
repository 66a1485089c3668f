"""Move runs to the trash, or empty the trash for good. A run that is running
is refused: stop it first.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from typing import TYPE_CHECKING

from runs.cli.parser import Parser, UsageError

if TYPE_CHECKING:
    from runs.home import Home

EXAMPLES = """
ddpm-tui rm mnist-1 mnist-2      to the trash
ddpm-tui rm --purge              empty it, after asking
ddpm-tui rm --purge --yes        empty it without asking
"""


def arguments(parser: Parser) -> None:
    parser.add_argument("runs", nargs="*", metavar="RUN", help="number, name, beginning of a name, or `last`")
    parser.add_argument("--purge", action="store_true", help="remove for good what is in the trash")
    parser.add_argument("--yes", action="store_true", help="with --purge: do not ask")


def run(args: argparse.Namespace) -> int:
    from runs.cli.opening import open_home

    if args.purge == bool(args.runs):
        raise UsageError("name runs to move to the trash, or give --purge alone to empty it")
    if args.yes and not args.purge:
        raise UsageError("--yes goes with --purge; moving to the trash asks nothing")
    return _purge(open_home(args), args.yes) if args.purge else _move(args)


def _move(args: argparse.Namespace) -> int:
    from runs import trash
    from runs.cli.opening import directory, find_all, open_home, open_to_read
    from runs.errors import RunError, UnwritableError
    from runs.humanize import bytes_text
    from runs.status import probe
    from runs.text import printable

    home = open_home(args, reading=True)
    with open_to_read(args) as catalogue:  # a full disk is a reason to remove something
        rows = find_all(catalogue, args.runs)
        for row in rows:  # all or none
            if probe(directory(row).path) == "running":
                raise RunError(f"{row.name} is running; stop it first: ddpm-tui stop {row.id}")
        for row in rows:
            size = trash.move(home, directory(row))
            print(printable(f"{row.name}: {bytes_text(size)} moved to the trash"))
        with contextlib.suppress(UnwritableError):  # the next sync notices as well
            catalogue.sync()
    held = sum(size for _, size in trash.contents(home))
    print(f"The trash holds {bytes_text(held)}; to empty it: ddpm-tui rm --purge")
    return 0


def _purge(home: Home, sure: bool) -> int:
    from runs import trash
    from runs.cli.output import say
    from runs.humanize import bytes_text
    from runs.text import printable

    contents = trash.contents(home)
    if not contents:
        print("The trash is empty")
        return 0
    if not sure:
        for name, size in contents:
            say(f"  {bytes_text(size):>8}  {name}")
        if not sys.stdin.isatty():
            raise UsageError("removing for good needs --yes where nobody can be asked")
        sys.stderr.write(f"Remove {bytes_text(sum(s for _, s in contents))} for good? [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            say("nothing removed")
            return 1
    print(printable(f"{bytes_text(trash.purge(home))} removed for good"))
    return 0
