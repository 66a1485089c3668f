"""What differs in the configuration of two or more runs, and what came of it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runs.cli.parser import Parser, UsageError

if TYPE_CHECKING:
    from runs.rows import FidProtocol, RunDetail

EXAMPLES = """
ddpm-tui compare mnist-1 mnist-2           only what differs
ddpm-tui compare 3 4 5 --all               the whole configurations
ddpm-tui compare mnist-1 last --json
"""

RESULTS = ("step", "images_seen", "loss", "images_per_second")


def arguments(parser: Parser) -> None:
    parser.add_argument(
        "runs", nargs="+", metavar="RUN", help="two or more: number, name, beginning of a name, or `last`"
    )
    parser.add_argument("--all", action="store_true", help="also what is the same")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    from runs.cli.opening import find_all, open_to_read

    if len(args.runs) < 2:
        raise UsageError("compare needs two runs or more")
    with open_to_read(args) as catalogue:
        rows = find_all(catalogue, args.runs)
        if len(rows) < 2:
            raise UsageError(f"{args.runs[0]} and {args.runs[1]} are the same run")
        details = [catalogue.detail(row.id) for row in rows]
    settings = compared([d.config for d in details], everything=args.all)
    fids = Fids.of(details)
    if args.json:
        _print_json(details, settings, fids)
    else:
        _print(details, settings, fids)
    return 0


def compared(configs: list[dict[str, Any]], everything: bool = False) -> dict[str, list[Any]]:
    """{"training.steps": [value of each run]} of what differs, or of everything; None where unset."""
    flat = [
        {
            f"{s}.{k}": v
            for s, content in config.items()
            if isinstance(content, dict)
            for k, v in content.items()
        }
        for config in configs
    ]
    keys = list(dict.fromkeys(key for config in flat for key in config))
    values = {key: [config.get(key) for config in flat] for key in keys}
    return {key: row for key, row in values.items() if everything or any(v != row[0] for v in row)}


@dataclass(frozen=True, slots=True)
class Fids:
    """The FIDs that a comparison shows, one a run, and whether they may be compared."""

    values: list[float | None]
    protocols: list[str | None]  #: ids
    what: list[FidProtocol | None]
    steps: list[int | None]  #: of the checkpoints
    comparable: bool | None  #: None: fewer than two are known
    differences: list[str]  #: what keeps the first from some other, in words

    @classmethod
    def of(cls, details: Sequence[RunDetail]) -> Fids:
        """Of each run's decisive evaluation under the protocol of the most images, of those the newest, that
        all of them have; where there is no such one, under any."""
        from ddpm.evaluation.protocol import differences

        known = [d.evaluations for d in details if d.evaluations]
        shared = set.intersection(*({e.protocol_id for e in found} for found in known)) if known else set()
        common = [row for found in known for row in found if row.protocol_id in shared]
        best = max(common, key=lambda row: (row.samples or 0, row.created_at or ""), default=None)
        chosen = [d.decisive if best is None else d.decisive_under(best.protocol_id) for d in details]
        there = [found for found in chosen if found is not None]
        differing = dict.fromkeys(
            text for other in there[1:] for text in differences(there[0].protocol, other.protocol)
        )
        return cls(
            values=[found.fid if found else None for found in chosen],
            protocols=[found.protocol_id if found else None for found in chosen],
            what=[found.fid_protocol if found else None for found in chosen],
            steps=[found.step if found else None for found in chosen],
            comparable=None if len(there) < 2 else not differing,
            differences=list(differing),
        )


def _print_json(details: list[RunDetail], settings: dict[str, list[Any]], fids: Fids) -> None:
    from runs.cli.output import print_json
    from runs.cli.records import row_record

    print_json(
        {
            "runs": [row_record(d.row, d.fid_protocol) for d in details],
            "config": settings,
            "fid": fids,
            "bits_per_dim": [{part.split: part.bits_per_dim for part in d.likelihood} for d in details],
        }
    )


def _print(details: list[RunDetail], settings: dict[str, list[Any]], fids: Fids) -> None:
    from runs import likelihoods
    from runs.cli.output import Column, print_table, say, status_text
    from runs.humanize import UNKNOWN

    columns = [
        Column("", least=10),
        *(Column(f"#{d.row.id} {d.row.name}", least=10, names=True) for d in details),
    ]
    rows: list[Any] = [["status", *(status_text(d.row.state) for d in details)]]
    shown: dict[str, Callable[[Any], str]] = _formats()
    for name in RESULTS:
        values = [getattr(d.row, name) for d in details]
        if any(v is not None for v in values):
            rows.append([name.replace("_", " "), *map(shown[name], values)])
    rows += _fid_rows(fids)
    bits = likelihoods.contrast([d.likelihood for d in details])
    rows += [[name, *(value or UNKNOWN for value in values)] for name, values in bits.items()]
    rows += [[key, *map(_setting, values)] for key, values in settings.items()]
    print_table(columns, rows)
    if fids.comparable is False:
        say(f"the FIDs do not compare, their protocols differ: {'; '.join(fids.differences)}")
    if not settings:
        say("their configurations are the same")


def _fid_rows(fids: Fids) -> list[list[str]]:
    """The FIDs, and below them what each is of: images and convention."""
    from runs.caveats import short
    from runs.humanize import UNKNOWN, distance

    if not any(fids.protocols):
        return []
    title = "fid, protocols differ" if fids.comparable is False else "fid"
    steps = [UNKNOWN if step is None else str(step) for step in fids.steps]
    return [
        [title, *map(distance, fids.values)],
        ["fid of", *(short(of) or UNKNOWN for of in fids.what)],
        ["fid at step", *steps],
    ]


def _formats() -> dict[str, Callable[[Any], str]]:
    from runs.cli.cells import number
    from runs.humanize import UNKNOWN, count, rate

    return {
        "step": lambda v: UNKNOWN if v is None else str(v),
        "images_seen": count,
        "loss": number,
        "images_per_second": lambda v: rate(v).removesuffix(" img/s"),
    }


def _setting(value: Any) -> str:
    from runs.humanize import UNKNOWN

    if value is None:
        return UNKNOWN
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
