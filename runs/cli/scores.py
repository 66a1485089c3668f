"""Evaluations in words: scores beside their floor, and the protocol without which they say nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runs.caveats import caveats, floor_at
from runs.cli.output import Cell, Column, table
from runs.humanize import UNKNOWN, distance, evaluations, guidance

if TYPE_CHECKING:
    from runs.rows import EvaluationRow

_SHARES = ("precision", "recall", "density", "coverage")


def summary(found: EvaluationRow) -> list[str]:
    """All that an evaluation found, its floor beside it, and how it was measured."""
    floor = found.floor or {}
    columns = [Column(""), Column(checkpoint(found))] + ([Column(_floor_title(found))] if floor else [])
    rows: list[Sequence[Cell]] = [
        [name, *values[: len(columns) - 1]] for name, *values in _scores(found, floor) if values[0] != UNKNOWN
    ]
    lines = [*table(columns, rows), "", f"protocol {found.protocol_id}"]
    lines += [f"  {name:<11}{text}" for name, text in protocol_facts(found.protocol, found.seed)]
    told = caveats(found)
    return [*lines, "", *told] if told else lines


def listing(found: Sequence[EvaluationRow], *, ranked: bool = False) -> list[str]:
    """Evaluations as a table, a line each; columns in which nothing is known are left out."""
    columns, cells = listing_cells(found, ranked=ranked)
    return table(columns, cells)


def listing_cells(
    found: Sequence[EvaluationRow], *, ranked: bool = False
) -> tuple[list[Column], list[list[Cell]]]:
    """The columns and cells of `listing`: with `ranked` the place and whose they are, else the protocols."""
    whose = (
        [Column("", right=True), Column("checkpoint", least=12, names=True)]
        if ranked
        else [Column("checkpoint")]
    )
    how = [Column("seed", right=True, drop=6)]
    how = how if ranked else [Column("samples", right=True), Column("protocol")]
    columns = [
        *whose,
        Column("FID", right=True),
        Column("KID", right=True, drop=1),
        Column("prec.", right=True, drop=2),
        Column("recall", right=True, drop=2),
        Column("density", right=True, drop=5),
        Column("cover.", right=True, drop=5),
        Column("clf. FD", right=True, drop=3),
        *how,
        Column("by", least=8, drop=4, names=True),
    ]
    cells: list[list[Cell]] = []
    for place, row in enumerate(found, 1):
        values = [value for _, value, _ in _scores(row, {})]
        before = [str(place), checkpoint(row)] if ranked else [f"@{row.step}"]
        after = [_text(row.seed)] if ranked else [_count(row.samples), row.protocol_id]
        cells.append([*before, *values, *after, row.run_name])
    known = [i for i in range(len(columns)) if any(row[i] != UNKNOWN for row in cells)]
    return [columns[i] for i in known], [[row[i] for i in known] for row in cells]


def checkpoint(found: EvaluationRow) -> str:
    """RUN@STEP; the run is unknown where it is not in this home."""
    return f"{found.subject_name or UNKNOWN}@{found.step}"


def floor_words(floor: Mapping[str, Any] | None, samples: int | None) -> str:
    """ "floor 3.15: the FID of the test split at 10,000 images"; "" where it is not known. Where the scores
    beside it are of another number of `samples`, that is said."""
    value = _number((floor or {}).get("fid"))
    if floor is None or value is None:
        return ""
    images = floor_at(floor, samples) or "unknown many images"
    return f"floor {distance(value)}: the FID of the {_text(floor.get('split'))} split at {images}"


def protocol_words(protocol: Mapping[str, Any]) -> str:
    """A protocol in one line, without what is seldom another: hashes, shape, companions."""
    features, reference, sampling, _ = _parts(protocol)
    split, images = _text(reference.get("split")), _count(reference.get("images"))
    words = [
        f"{_network(features)}, {_text(features.get('convention'))}",
        f"{_text(reference.get('dataset'))} {split} ({images})",
        f"{_count(protocol.get('samples'))} samples",
        _sampling(sampling),
    ]
    return " · ".join(words)


def protocol_facts(protocol: Mapping[str, Any], seed: int | None = None) -> list[tuple[str, str]]:
    """(part, what it says) of a protocol. It may be anyone's: whatever is missing in it is unknown."""
    features, reference, sampling, companions = _parts(protocol)
    weights = str(features.get("weights", UNKNOWN))[:12]
    shape = "×".join(map(_text, s)) if isinstance(s := reference.get("shape"), list) else UNKNOWN
    samples = f"{_count(protocol.get('samples'))} images"
    facts = [
        ("features", f"{_network(features)} ({weights}), {_text(features.get('convention'))} convention"),
        (
            "reference",
            f"{_text(reference.get('dataset'))} {_text(reference.get('split'))}, "
            f"{_count(reference.get('images'))} images of {shape}",
        ),
        ("samples", samples + ("" if seed is None else f" of seed {seed}")),
        ("sampling", _sampling(sampling)),
    ]
    if companions:
        facts.append(("companions", _companions(companions)))
    return facts


def _parts(protocol: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    keys = ("features", "reference", "sampling", "companions")
    return [found if isinstance(found := protocol.get(key), dict) else {} for key in keys]


def _network(features: Mapping[str, Any]) -> str:
    return _text(features.get("network")).replace("inception-2015-12-05", "Inception")


#: What `_sampling` has words for.
_SAID = (
    *("sampler", "steps", "spacing", "eta", "variance"),
    *("guidance", "guidance_step", "guidance_class", "weights", "ema_decay"),
)


def _sampling(sampling: Mapping[str, Any]) -> str:
    if not sampling:
        return "by no sampler of ours"
    parts = [f"{_text(sampling.get('sampler'))} {_text(sampling.get('steps'))} steps"]
    parts.append(_text(sampling.get("spacing")))
    if sampling.get("eta") is not None:
        parts.append(f"eta {_text(sampling['eta'])}")
    if sampling.get("variance") is not None:
        parts.append(f"variance {_text(sampling['variance'])}")
    if sampling.get("guidance") is not None:
        parts.append(guidance(sampling))
    if asked := evaluations(sampling):
        parts.append(asked)
    averaged = sampling.get("weights") == "ema"
    parts.append(f"ema {_text(sampling.get('ema_decay'))}" if averaged else _text(sampling.get("weights")))
    parts += [
        f"{key} {_text(told)}" for key, told in sampling.items() if key not in _SAID and told is not None
    ]
    return ", ".join(parts)


def _companions(companions: Mapping[str, Any]) -> str:
    parts = []
    if "reference_features" in companions:
        parts.append(f"against {_count(companions['reference_features'])} images of the reference")
    if "kid_block" in companions:
        parts.append(f"KID in blocks of {_count(companions['kid_block'])}")
    if companions.get("classifier"):
        parts.append(f"classifier {str(companions['classifier'])[:12]}")
    return ", ".join(parts) or "none"


def _scores(found: EvaluationRow, floor: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(name, value, the floor's value) of every score."""
    scores: Mapping[str, Any] = {key: getattr(found, key) for key in ("kid", "kid_error", *_SHARES)}
    return [
        ("FID", distance(found.fid), distance(_number(floor.get("fid")))),
        ("KID", _kid(scores), _kid(floor)),
        *((name, _share(scores.get(name)), _share(floor.get(name))) for name in _SHARES),
        ("classifier FD", distance(found.classifier_fd), distance(_number(floor.get("classifier_fd")))),
    ]


def _floor_title(found: EvaluationRow) -> str:
    floor = found.floor or {}
    return f"floor ({_count(floor.get('samples'))} images of {_text(floor.get('split'))})"


def _kid(scores: Mapping[str, Any]) -> str:
    value, error = _number(scores.get("kid")), _number(scores.get("kid_error"))
    if value is None:
        return UNKNOWN
    return f"{value:.5f}" + ("" if error is None else f" ± {error:.5f}")


def _share(value: Any) -> str:
    known = _number(value)
    return UNKNOWN if known is None else f"{known:.3f}"


def _number(value: Any) -> float | None:
    return float(value) if type(value) in (int, float) else None


def _count(value: Any) -> str:
    return f"{value:,}" if type(value) is int else UNKNOWN


def _text(value: Any) -> str:
    return UNKNOWN if value is None else f"{value:g}" if type(value) is float else str(value)
