"""Scores of an evaluation as text: a number never without its floor, the unknown as "–"."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from rich.text import Text

from runs import caveats, humanize
from runs.rows import EvaluationRow
from runs.text import printable
from tui.columns import unknown
from tui.table import Column
from tui.theme import Ink

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Score:
    """A field of `EvaluationRow`, which a floor has under the same name."""

    field: str
    name: str  #: ↓ lower is better, ↑ higher
    meaning: str  #: in few words


SCORES = (
    Score("fid", "FID ↓", "distance from data"),
    Score("kid", "KID ↓", "same, other kernel"),
    Score("precision", "precision ↑", "how real they look"),
    Score("recall", "recall ↑", "how much is covered"),
    Score("density", "density ↑", "robust precision"),
    Score("coverage", "coverage ↑", "robust recall"),
    Score("classifier_fd", "classifier FD ↓", "by digit features"),
)


def value_of(scores: EvaluationRow | dict[str, Any] | None, field: str) -> float | None:
    """A score of an evaluation or of a floor; None where it is not known."""
    value = scores.get(field) if isinstance(scores, dict) else getattr(scores, field, None)
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if known and value is not None else None


def text_of(scores: EvaluationRow | dict[str, Any] | None, field: str, *, error: bool = True) -> str:
    """A score in its usual digits, KID with its standard error."""
    value = value_of(scores, field)
    if value is None:
        return humanize.UNKNOWN
    if field in ("fid", "classifier_fd"):
        return humanize.distance(value)
    if field == "kid":
        spread = value_of(scores, "kid_error") if error else None
        return f"{value:.5f}" + ("" if spread is None else f" ± {spread:.5f}")
    return f"{value:.3f}"


def fid_with_floor(evaluation: EvaluationRow, ink: Ink) -> Text:
    """ "FID 12.34 (2,000 tf), floor 3.15 (10,000)"."""
    text = Text("FID ", style=ink.dim).append(text_of(evaluation, "fid"), style=ink.strong)
    of, images = printable(caveats.short(evaluation.fid_protocol)), caveats.floor_images(evaluation.floor)
    text.append(f" ({of})" if of else "", style=ink.dim)
    text.append(f", floor {text_of(evaluation.floor, 'fid')}", style=ink.dim)
    return text.append("" if images is None else f" ({images:,})", style=ink.dim)


def floor_words(floor: dict[str, Any] | None, samples: int | None = None) -> str:
    """What a floor is of: "test, 10,000 images"; "" where that is not known.

    With the number of `samples` beside which it stands, another one is told apart: "…, not 2,000".
    """
    split = (floor or {}).get("split")
    words = (split if isinstance(split, str) else "", caveats.floor_at(floor, samples))
    return ", ".join(word for word in words if word)


def score_columns(
    of: Callable[[Row], EvaluationRow | None], rows: Sequence[EvaluationRow]
) -> list[Column[Row]]:
    """FID and its floor, then the companions that any of the rows has; they leave first where there is no
    room."""

    def score(field: str, title: str, width: int, rank: int, *, error: bool = False) -> Column[Row]:
        def cell(row: Row, cells: int, ink: Ink) -> Text:
            text = text_of(of(row), field, error=error)
            if text == humanize.UNKNOWN:
                return unknown(ink)
            return Text(text, style=ink.strong if field == "fid" else ink.text)

        return Column(field, title, width, cell, right=True, rank=rank)

    def floor(row: Row, cells: int, ink: Ink) -> Text:
        evaluation = of(row)
        return Text(text_of(evaluation.floor if evaluation else None, "fid"), style=ink.dim)

    companions = [
        score("kid", "KID", 17, 3, error=True),
        score("precision", "prec.", 5, 2),
        score("recall", "recall", 6, 2),
        score("density", "density", 7, 6),
        score("coverage", "cover.", 6, 6),
        score("classifier_fd", "clf. FD", 7, 1),
    ]
    return [
        score("fid", "FID", 7, 0),
        Column("floor", "floor", 6, floor, right=True),
        *(column for column in companions if any(getattr(row, column.key) is not None for row in rows)),
    ]
