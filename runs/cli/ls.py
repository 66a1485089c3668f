"""List the runs, newest first.

Every WORD must occur in the run's name, preset, kind, status, tags or notes,
or be its #number.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runs.cli.parser import Parser, choice, whole

if TYPE_CHECKING:
    from runs.catalogue import Catalogue
    from runs.cli.output import Cell, Column
    from runs.rows import FidProtocol, RunQuery, RunRow

EXAMPLES = """
ddpm-tui ls                              the newest 50
ddpm-tui ls mnist cosine                 those of which both words are true
ddpm-tui ls --status running --json      for scripts: all of them, as JSON
ddpm-tui ls --sort loss --limit 5        the five lowest losses
"""

SORTS = (
    "id", "name", "kind", "status", "preset", "step", "images_seen", "loss", "images_per_second", "fid",
    "device", "created_at", "ended_at",
)  # fmt: skip
#: What is best last when counted up: these are listed from the highest down.
DESCENDING = ("id", "step", "images_seen", "images_per_second", "created_at", "ended_at")
STATUSES = ("running", "queued", "finished", "stopped", "failed", "lost")
KINDS = ("train", "sample", "evaluate", "restore", "likelihood")
TABLE_LIMIT = 50
ALL = -1


def arguments(parser: Parser) -> None:
    parser.add_argument("words", nargs="*", metavar="WORD", help="only runs in which every word occurs")
    parser.add_argument(
        "--status", action="append", type=choice(*STATUSES), metavar="STATUS", help=_of(STATUSES)
    )
    parser.add_argument("--kind", action="append", type=choice(*KINDS), metavar="KIND", help=_of(KINDS))
    parser.add_argument(
        "--sort",
        type=choice(*SORTS),
        default="id",
        metavar="FIELD",
        help=f"{_of(SORTS)}; best or newest first, unknown last",
    )
    parser.add_argument("--reverse", action="store_true", help="the other way round")
    parser.add_argument(
        "--limit",
        type=whole(),
        metavar="N",
        help=f"at most N runs, 0 for all (default: {TABLE_LIMIT}; JSON all)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _of(words: tuple[str, ...]) -> str:
    return ", ".join(words[:-1]) + f" or {words[-1]}"


def run(args: argparse.Namespace) -> int:
    from runs.cli.opening import open_to_read
    from runs.cli.output import print_json
    from runs.cli.records import row_record
    from runs.rows import RunQuery

    with open_to_read(args) as catalogue:
        rows = _matching(catalogue, args)
        in_home = len(rows) or catalogue.count(RunQuery())
        protocols = catalogue.fid_protocols() if any(row.fid is not None for row in rows) else {}
    limit = args.limit if args.limit is not None else (0 if args.json else TABLE_LIMIT)
    shown = rows[:limit] if limit else rows
    if args.json:
        print_json([row_record(row, protocols.get(row.id)) for row in shown])
    else:
        _print(shown, protocols, len(rows), in_home)
    return 0


def _query(args: argparse.Namespace, text: str) -> RunQuery:
    from runs.rows import RunQuery

    descending = (args.sort in DESCENDING) != args.reverse
    return RunQuery(text=text, sort=args.sort, descending=descending, limit=ALL, kinds=tuple(args.kind or ()))


def _matching(catalogue: Catalogue, args: argparse.Namespace) -> list[RunRow]:
    rows = catalogue.runs(_query(args, " ".join(args.words)))
    return [row for row in rows if not args.status or row.state in args.status]


def _print(rows: list[RunRow], protocols: dict[int, FidProtocol], found: int, in_home: int) -> None:
    from runs.cli.output import print_table, say

    if rows:
        columns, cells = _table(rows, protocols)
        print_table(columns, cells)
    if not found:
        say("no runs match" if in_home else "no runs yet; try: ddpm-tui train digits")
    elif found > len(rows):
        say(f"{found - len(rows)} more; --limit 0 shows all")


def _table(rows: list[RunRow], protocols: dict[int, FidProtocol]) -> tuple[list[Column], list[list[Cell]]]:
    """The columns worth showing, and their cells: one in which nothing is known is left out."""
    from runs.caveats import short
    from runs.cli.cells import number, progress
    from runs.cli.output import Column, status_text
    from runs.humanize import UNKNOWN, age, distance, duration, rate

    columns = [
        Column("#", right=True),
        Column("name", least=12, names=True),
        Column("kind", drop=2),
        Column("status"),
        Column("step", right=True),
        Column("loss", right=True),
        Column("images/s", right=True, drop=4),
        Column("fid", right=True),
        Column("of", right=True, drop=1),
        Column("preset", drop=3),
        Column("device", drop=5),
        Column("age", right=True, drop=1),
        Column("left", right=True, drop=2),
        Column("tags", least=8, drop=6),
    ]
    cells: list[list[Cell]] = [
        [
            str(row.id),
            row.name,
            row.kind,
            status_text(row.state),
            progress(row),
            number(row.loss),
            rate(row.images_per_second).removesuffix(" img/s"),
            distance(row.fid),
            short(protocols.get(row.id)) or UNKNOWN,
            row.preset or UNKNOWN,
            row.device or UNKNOWN,
            age(row.created_at),
            duration(row.seconds_left),
            ", ".join(row.tags) or UNKNOWN,
        ]
        for row in rows
    ]
    known = [i for i in range(len(columns)) if any(row[i] != UNKNOWN for row in cells)]
    return [columns[i] for i in known], [[row[i] for i in known] for row in cells]
