"""What likelihood runs have come to: from the record's lines to rows, and from those to words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runs import files
from runs.rows import LikelihoodRow

#: The parts of a data set, in the order in which they are told.
SPLITS = ("train", "test")
#: Bins of a curve at most: more than the engine writes are nobody's of ours.
_BINS = 1_000


def fields(event: dict[str, Any]) -> dict[str, Any] | None:
    """Of a LikelihoodRow, plain, out of a `bits_per_dim` event; None where what counts is missing."""
    split, bits = event.get("split"), files.as_number(event.get("bits_per_dim"))
    done, count = files.as_whole(event.get("done")), files.as_whole(event.get("count"))
    if split not in SPLITS or bits is None or done is None or count is None:
        return None
    numbers = {key: files.as_number(event.get(key)) for key in ("error", "prior", "decoder")}
    edges, terms = _curve(event)
    return {
        "split": split, "done": done, "count": count, "bits_per_dim": bits, **numbers,
        "edges": edges, "terms": terms,
    }  # fmt: skip


def _curve(event: dict[str, Any]) -> tuple[list[int], list[float]]:
    """Edges and terms; none where they do not belong together."""
    edges, terms = event.get("edges"), event.get("terms")
    if not isinstance(edges, list) or not isinstance(terms, list):
        return [], []
    if not 0 < len(terms) <= _BINS or len(edges) != len(terms) + 1:
        return [], []
    starts = [start for start in map(files.as_whole, edges) if start is not None]
    values = [value for value in map(files.as_number, terms) if value is not None]
    whole = len(starts) == len(edges) and len(values) == len(terms) and sorted(set(starts)) == starts
    return (starts, values) if whole else ([], [])


def rows(found: Mapping[str, dict[str, Any]]) -> tuple[LikelihoodRow, ...]:
    """By part what `fields` gave."""
    kept = (found[split] for split in SPLITS if split in found)
    return tuple(
        LikelihoodRow(**{**row, "edges": tuple(row["edges"]), "terms": tuple(row["terms"])}) for row in kept
    )


def measured(found: Mapping[str, dict[str, Any]]) -> int:
    """Images of all parts."""
    return sum(row["done"] for row in found.values())


def words(found: Iterable[LikelihoodRow]) -> dict[str, str]:
    """{"bits/dim": "3.512 ± 0.021 of 500 train images, 3.530 ± 0.020 of 500 test images"}."""
    told = ", ".join(f"{number(row)} of {row.done:,} {row.split} images" for row in found)
    return {"bits/dim": told} if told else {}


def number(row: LikelihoodRow) -> str:
    """ "3.512 ± 0.021"."""
    return f"{row.bits_per_dim:.3f}" + ("" if row.error is None else f" ± {row.error:.3f}")


def contrast(found: Sequence[Sequence[LikelihoodRow]]) -> dict[str, list[str | None]]:
    """{"bits/dim, test": ["3.530 ± 0.020", None]}: of several runs, the parts that any of them has."""
    by_part = [{row.split: number(row) for row in rows} for rows in found]
    parts = [split for split in SPLITS if any(split in rows for rows in by_part)]
    return {f"bits/dim, {split}": [rows.get(split) for rows in by_part] for split in parts}
