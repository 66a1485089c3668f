"""What this machine, this home and this terminal offer, what is in the way,
and what to do about it.

Should the terminal print odd characters when the mouse moves after a
connection was lost, type: reset
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from runs.cli.parser import Parser

if TYPE_CHECKING:
    from runs.doctor import Row, Section

EXAMPLES = """
ddpm-tui doctor
ddpm-tui doctor --json
"""

MARKS = {True: ("✓", "green"), False: ("✗", "red"), None: (" ", None)}


def arguments(parser: Parser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    from runs.cli.opening import open_home
    from runs.cli.output import print_json
    from runs.doctor import problems, report
    from runs.errors import RunError

    home, unusable = None, ""
    try:
        home = open_home(args)
    except RunError as error:  # a page without it says more than the error alone
        unusable = str(error)
    sections = report(home, unusable)
    if args.json:
        print_json({"ok": not problems(sections), "sections": sections})
        return 0
    _print(sections)
    number = len(problems(sections))
    print("\nNothing is in the way." if not number else f"\n{number} in the way: see ✗ above.")
    return 0


def _print(sections: list[Section]) -> None:
    from runs.cli.output import coloured, paint

    colours = coloured(sys.stdout)
    size = max(len(row.label) for section in sections for row in section.rows)
    for section in sections:
        if section.rows:
            print(paint(section.title, "bold", colours))
        for row in section.rows:
            print("\n".join(_lines(row, size, colours)))


def _lines(row: Row, size: int, colours: bool) -> list[str]:
    from runs.cli.output import paint
    from runs.text import printable

    mark, colour = MARKS[row.ok]
    lines = [f"  {paint(mark, colour, colours)} {printable(row.label):<{size}}  {printable(row.value)}"]
    if row.advice:
        lines.append(f"    {'':<{size}}  → {printable(row.advice)}")
    return lines
