"""Scores as text: no number without its floor, and the unknown is no zero."""

from __future__ import annotations

import math
from typing import Any

import pytest

from runs.humanize import distance
from runs.rows import EvaluationRow
from tests.tui.building import FLOOR, PROTOCOL
from tests.tui.test_columns import ink
from tui import scores


def found(**changes: Any) -> EvaluationRow:
    values: dict[str, Any] = dict.fromkeys(EvaluationRow.__slots__)
    known = {"run_id": 2, "run_name": "two", "step": 100, "fid": 12.344, "floor": FLOOR}
    return EvaluationRow(**(values | known | {"protocol": PROTOCOL, "protocol_id": "x"} | changes))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12.344, "12.34"),
        (187.31, "187.3"),
        (1234.0, "1,234"),
        (123_456.0, "123k"),
        (999.96, "1,000"),
        (0.0312, "0.0312"),
        (0.0, "0.00"),
        (3.15, "3.15"),
    ],
)
def test_distances_have_the_digits_that_papers_give(value: float, text: str) -> None:
    assert distance(value) == text


def test_fid_stands_with_its_floor_even_where_that_is_unknown() -> None:
    assert scores.fid_with_floor(found(), ink()).plain == "FID 12.34 (10,000 tf), floor 3.15 (10,000)"
    assert scores.fid_with_floor(found(floor=None), ink()).plain == "FID 12.34 (10,000 tf), floor –"


def test_the_unknown_is_a_dash_and_kid_has_its_error() -> None:
    row = found(kid=0.00123, kid_error=0.0004)
    assert scores.text_of(row, "kid") == "0.00123 ± 0.00040"
    assert scores.text_of(row, "kid", error=False) == "0.00123"
    assert scores.text_of(found(kid=0.0012), "kid") == "0.00120"
    for field in ("kid", "precision", "classifier_fd"):
        assert scores.text_of(found(), field) == "–"
    assert scores.text_of(found(recall=0.0), "recall") == "0.000"


@pytest.mark.parametrize("floor", [{"fid": "low"}, {"fid": True}, {"fid": math.nan}, {"fid": None}, {}])
def test_a_floor_of_other_making_is_unknown(floor: dict[str, Any]) -> None:
    assert scores.text_of(floor, "fid") == "–"


def test_what_a_floor_is_of() -> None:
    assert scores.floor_words(FLOOR) == "test, 10,000 images"
    assert scores.floor_words(FLOOR, 10_000) == "test, 10,000 images"
    assert scores.floor_words(FLOOR, 50_000) == "test, 10,000 images, not 50,000"
    assert scores.floor_words({"split": 3, "samples": "many"}) == ""
    assert scores.floor_words(None) == ""
