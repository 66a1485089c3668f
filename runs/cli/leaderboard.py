"""All evaluations of this home, best first, in groups of equal protocols: only
numbers of one group may be ranked together. What keeps a group from the first
one is told.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from runs.cli.parser import Parser

if TYPE_CHECKING:
    from runs.rows import Standing

EXAMPLES = """
ddpm-tui leaderboard
ddpm-tui leaderboard --json | jq '.[0].rows[0].fid'
"""


def arguments(parser: Parser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON: a list of groups")


def run(args: argparse.Namespace) -> int:
    from runs.cli.opening import open_to_read
    from runs.cli.output import print_json, say

    with open_to_read(args) as catalogue:
        standings = catalogue.leaderboard()
    if args.json:
        print_json([_record(standing, standings[0]) for standing in standings])
        return 0
    for standing in standings:
        _print(standing, standings[0])
    if not standings:
        say("no evaluations yet; try: ddpm-tui evaluate RUN")
    return 0


def _record(standing: Standing, first: Standing) -> dict[str, Any]:
    return {
        "protocol_id": standing.protocol_id,
        "protocol": standing.protocol,
        "differs_from_first": _differences(standing, first),
        "floor": standing.floor,
        "rows": standing.rows,
    }


def _differences(standing: Standing, first: Standing) -> list[str]:
    from ddpm.evaluation.protocol import differences

    return differences(standing.protocol, first.protocol)


def _print(standing: Standing, first: Standing) -> None:
    from runs.cli.output import print_table
    from runs.cli.scores import floor_words, listing_cells, protocol_words
    from runs.text import printable

    lines = [f"protocol {standing.protocol_id}", protocol_words(standing.protocol)]
    if standing is not first:
        print()
        lines.append(f"not to be ranked with {first.protocol_id}: {'; '.join(_differences(standing, first))}")
    lines += filter(None, [floor_words(standing.floor, standing.rows[0].samples)])
    for line in lines:
        print(printable(line))
    print_table(*listing_cells(standing.rows, ranked=True))
