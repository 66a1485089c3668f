"""All that is known of a run: where it stands, its evaluations, configuration,
checkpoints, samples and provenance.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from runs.cli.parser import Parser

if TYPE_CHECKING:
    from runs.rows import CheckpointRow, EvaluatingRow, RunDetail, SampleRow

EXAMPLES = """
ddpm-tui show last
ddpm-tui show mnist-1 --json | jq .loss
"""


def arguments(parser: Parser) -> None:
    parser.add_argument("run", metavar="RUN", help="number, name, beginning of a name, or `last`")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    from runs.cli.opening import open_to_read
    from runs.cli.output import print_json
    from runs.cli.records import detail_record

    with open_to_read(args) as catalogue:
        detail = catalogue.detail(catalogue.find(args.run).id)
    if args.json:
        print_json(detail_record(detail))
    else:
        print("\n".join(_page(detail)))
    return 0


def _page(detail: RunDetail) -> list[str]:
    row = detail.row
    parts = [
        ("", _facts(detail)),
        *_evaluations(detail),
        ("notes", detail.notes.splitlines()),
        ("notices", list(detail.notices)),
        ("checkpoints", [_checkpoint(c) for c in detail.checkpoints]),
        ("samples", [_sample(s) for s in detail.samples]),
        ("configuration", _settings(detail.config)),
        ("provenance", [f"{k} = {_value(v)}" for k, v in detail.provenance.items() if v is not None]),
    ]
    lines = [f"#{row.id} {_literal(row.name)}"]
    for title, content in parts:
        if content:
            lines += ["", _bold(title)] if title else []
            lines += [f"  {_literal(line)}".rstrip() for line in content]
    return lines


def _facts(detail: RunDetail) -> list[str]:
    from runs import likelihoods, quality
    from runs.cli.cells import number, progress
    from runs.cli.output import status_text
    from runs.humanize import UNKNOWN, age, bytes_text, count, duration, rate

    row = detail.row
    at = "" if detail.parent_step is None else f"@{detail.parent_step}"
    device = f"{row.device} ({detail.device_name})" if row.device and detail.device_name else row.device
    facts = {
        "status": status_text(row.state)[0],
        "error": detail.error,
        "kind": row.kind + (f" of run {row.parent}{at}" if row.parent is not None else ""),
        "preset": row.preset,
        "tags": ", ".join(row.tags),
        "step" if row.kind == "train" else "images": progress(row),
        "evaluating": _evaluating(detail.evaluating),
        "time left": duration(row.seconds_left),
        "images seen": count(row.images_seen),
        "loss": number(row.loss),
        **quality.words(detail.restored),
        **likelihoods.words(detail.likelihood),
        "speed": rate(row.images_per_second),
        "fid": _fid(detail),
        "device": device,
        "parameters": _exact(detail.parameters),
        "data set size": _exact(detail.dataset_size) if row.kind == "train" else "",
        "created": f"{row.created_at} ({age(row.created_at)} ago)",
        "started": detail.started_at,
        "ended": row.ended_at,
        "on disk": bytes_text(detail.bytes),
        "path": row.path,
        "command": _command(detail.command),
    }
    return [f"{name:<14}{value}" for name, value in facts.items() if value and value != UNKNOWN]


def _evaluating(now: EvaluatingRow | None) -> str:
    from runs.humanize import duration

    if now is None:
        return ""
    left = "" if now.seconds_left is None else f", {duration(now.seconds_left)} left"
    return f"{now.stage}, {now.done:,} of {now.total:,} images{left}"


def _evaluations(detail: RunDetail) -> list[tuple[str, list[str]]]:
    """An evaluating run's scores in full; of a training a line for each evaluation, and their protocols."""
    found = detail.evaluations
    if not found:
        return []
    from runs.cli.scores import floor_words, listing, protocol_words, summary

    if detail.row.kind != "train":
        return [("scores", [line for row in found for line in summary(row)])]
    latest = {row.protocol_id: row for row in found}
    protocols = []
    for row in latest.values():
        protocols.append(f"{row.protocol_id}  {protocol_words(row.protocol)}")
        protocols += [f"{'':<14}{words}" for words in [floor_words(row.floor, row.samples)] if words]
    return [("evaluations", listing(found)), ("protocols", protocols)]


def _fid(detail: RunDetail) -> str:
    """ "24.10 (2,000 tf)": a FID and what it is of."""
    from runs.caveats import short
    from runs.humanize import distance

    of = short(detail.fid_protocol)
    return distance(detail.row.fid) + (f" ({of})" if of else "")


def _exact(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _command(command: tuple[str, ...]) -> str:
    import shlex

    return shlex.join(command)


def _checkpoint(checkpoint: CheckpointRow) -> str:
    from runs.humanize import bytes_text

    kept = "  kept for ever" if checkpoint.milestone else ""
    return f"@{checkpoint.step:<10}{bytes_text(checkpoint.bytes):>8}  {checkpoint.path}{kept}"


def _sample(sample: SampleRow) -> str:
    how = f"{sample.count} by {sample.sampler} in {sample.sampler_steps} steps, seed {sample.seed}"
    return f"@{sample.step:<10}{how}  {sample.path}"


def _settings(config: dict[str, Any]) -> list[str]:
    return [
        f"{section}.{key} = {_value(value)}"
        for section, content in config.items()
        if isinstance(content, dict)
        for key, value in content.items()
    ]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{k} {v}" for k, v in value.items())
    return str(value)


def _literal(text: str) -> str:
    from runs.text import printable

    return printable(text)


def _bold(text: str) -> str:
    import sys

    from runs.cli.output import coloured, paint

    return paint(text, "bold", coloured(sys.stdout))
