import math
from datetime import UTC, datetime
from typing import Any

import pytest

from runs.humanize import a_run, age, bytes_text, count, duration, evaluations, guidance, rate


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"), (0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"),
        (3599.7, "1 h 00 m"), (7500, "2 h 05 m"), (86399, "1 d 00 h"), (3 * 86400 + 4 * 3600, "3 d 04 h"),
        (None, "–"), (math.inf, "–"), (math.nan, "–"),
    ],
)  # fmt: skip
def test_duration(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("iso", "text"),
    [
        ("2026-11-23T14:24:48Z", "12 s"), ("2026-11-23T14:21:00Z", "4 m"), ("2026-11-23T12:00:00Z", "2 h"),
        ("2026-11-20T14:25:00Z", "3 d"), ("2024-01-01T00:00:00Z", "2 y"), ("2026-11-23T14:26:00Z", "0 s"),
        ("2026-11-23T16:21:00+02:00", "4 m"), ("2026-11-23T14:21:00", "4 m"), ("yesterday", "–"), (None, "–"),
    ],
)  # fmt: skip
def test_age(iso: str | None, text: str) -> None:
    assert age(iso, datetime(2026, 11, 23, 14, 25, tzinfo=UTC)) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"), (999, "999"), (1000, "1k"), (12_400, "12.4k"), (12_449, "12.4k"), (999_950, "1M"),
        (102_000_000, "102M"), (3.5e9, "3.5G"), (None, "–"), (math.nan, "–"),
    ],
)  # fmt: skip
def test_count(number: float | None, text: str) -> None:
    assert count(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (9_960, "10 kB"), (999_700, "1.0 MB"),
        (1_400_000_000, "1.4 GB"), (140_000_000, "140 MB"), (3e15, "3000 TB"), (None, "–"),
    ],
)  # fmt: skip
def test_bytes(number: float | None, text: str) -> None:
    assert bytes_text(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.534, "0.53 img/s"), (9.72, "9.7 img/s"), (9.96, "10 img/s"), (97.4, "97 img/s"),
        (1234, "1.2k img/s"), (25_300, "25k img/s"), (None, "–"), (math.inf, "–"),
    ],
)  # fmt: skip
def test_rate(number: float | None, text: str) -> None:
    assert rate(number) == text


def test_a_kind_of_run_has_its_article() -> None:
    assert [a_run(kind) for kind in ("train", "evaluate")] == ["a train run", "an evaluate run"]


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (None, "no guidance"),
        ([2.0, 0.0, 1.0], "guidance 2"),
        ([1.5, 0.25, 0.75], "guidance 1.5 from 0.25 to 0.75"),
        ("strong", "guidance strong"),  # of a later version
    ],
)
def test_guidance_is_told_with_its_interval(told: Any, text: str) -> None:
    assert guidance({"guidance": told}) == text


def test_guidance_tells_the_step_that_it_is_by() -> None:
    assert guidance({"guidance": [2.0, 0.0, 1.0], "guidance_step": 12_000}) == "guidance 2 by step 12,000"
    later = {"guidance": [2, 0.5, 1], "guidance_step": "?", "guidance_class": True}
    assert guidance(later) == "guidance 2 by step ? and class from 0.5 to 1"


@pytest.mark.parametrize(
    ("sampling", "asked"),
    [
        ({"sampler": "ddim", "steps": 20, "guidance": None}, ""),
        ({"sampler": "heun", "steps": 20, "guidance": None}, "39 evaluations"),
        ({"sampler": "unipc", "steps": 20, "guidance": [2.0, 0.0, 1.0]}, "40 evaluations"),
        ({"sampler": "heun", "steps": 6, "guidance": [2.0, 0.25, 1.0]}, "at most 22 evaluations"),
        ({"sampler": "heun", "steps": "six"}, ""),
        ({}, ""),
    ],
)
def test_evaluations_are_told_where_they_are_not_the_steps(sampling: dict[str, Any], asked: str) -> None:
    assert evaluations(sampling) == asked
