"""Change a run's name, tags and note. Its directory keeps its name."""

from __future__ import annotations

import argparse

from runs.cli.parser import Parser, UsageError

EXAMPLES = """
ddpm-tui edit last --name mnist-cosine
ddpm-tui edit 7 --tag baseline --untag draft --note "EMA off by mistake"
"""


def arguments(parser: Parser) -> None:
    parser.add_argument("run", metavar="RUN", help="number, name, beginning of a name, or `last`")
    parser.add_argument("--name", help="its new name; no other run may have it")
    parser.add_argument(
        "--tag", action="append", default=[], metavar="TAG", help="add a tag; may be repeated"
    )
    parser.add_argument(
        "--untag", action="append", default=[], metavar="TAG", help="take a tag away; may be repeated"
    )
    parser.add_argument("--note", metavar="TEXT", help="its note; an empty one takes it away")


def run(args: argparse.Namespace) -> int:
    from runs.cli.opening import directory, open_catalogue, open_home
    from runs.editing import edit
    from runs.text import printable

    if args.name is None and args.note is None and not args.tag and not args.untag:
        raise UsageError("nothing to change; give --name, --tag, --untag or --note")
    home = open_home(args)
    with open_catalogue(home) as catalogue:
        row = catalogue.find(args.run)
        edit(
            home,
            directory(row),
            name=args.name,
            notes=args.note,
            add_tags=args.tag,
            remove_tags=args.untag,
        )
        catalogue.sync()
        row = catalogue.detail(row.id).row
    print(printable(f"#{row.id} {row.name}" + (f"  [{', '.join(row.tags)}]" if row.tags else "")))
    return 0
