"""Scores of an evaluation as text: a number never without its floor, the unknown as "–"."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from rich.text import Text

from runs import humanize
from runs.rows import EvaluationRow
from tui.columns import distance, unknown
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
        return distance(value)
    if field == "kid":
        spread = value_of(scores, "kid_error") if error else None
        return f"{value:.5f}" + ("" if spread is None else f" ± {spread:.5f}")
    return f"{value:.3f}"


def fid_with_floor(evaluation: EvaluationRow, ink: Ink) -> Text:
    """ "FID 12.34, floor 3.15"."""
    text = Text("FID ", style=ink.dim).append(text_of(evaluation, "fid"), style=ink.strong)
    return text.append(f", floor {text_of(evaluation.floor, 'fid')}", style=ink.dim)


def floor_words(floor: dict[str, Any] | None) -> str:
    """What a floor is of: "test, 10,000 images"; "" where that is not known."""
    if not floor:
        return ""
    split, images = floor.get("split"), floor.get("samples")
    counted = f"{images:,} images" if isinstance(images, int) else ""
    return ", ".join(word for word in (split if isinstance(split, str) else "", counted) if word)


def score_columns(of: Callable[[Row], EvaluationRow | None], *, classifier: bool) -> list[Column[Row]]:
    """FID and its floor, then the companions, which leave first where there is no room."""

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

    found = [
        score("fid", "FID", 7, 0),
        Column("floor", "floor", 6, floor, right=True),
        score("kid", "KID", 17, 3, error=True),
        score("precision", "prec.", 5, 2),
        score("recall", "recall", 6, 2),
        score("density", "density", 7, 6),
        score("coverage", "cover.", 6, 6),
    ]
    return [*found, score("classifier_fd", "clf. FD", 7, 1)] if classifier else found
