"""Ticks are round, within range, and told apart by their labels."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.widgets.axes import Scale, bounds, linear_ticks, log_ticks, short, tick_labels, zoomed


def test_ticks_are_one_two_or_five_apart() -> None:
    assert linear_ticks(0, 10, 5) == [0, 2, 4, 6, 8, 10]
    assert linear_ticks(0, 1, 2) == [0, 0.5, 1]
    assert linear_ticks(0.013, 0.052, 4) == [0.02, 0.03, 0.04, 0.05]
    assert linear_ticks(-3, 3, 3) == [-2, 0, 2]
    assert linear_ticks(1, 1, 3) == []


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.integers(2, 12))
def test_ticks_are_few_ascending_and_within(low: float, width: float, count: int) -> None:
    high = low + width
    if high - low < max(abs(low), abs(high)) * 1e-9:
        return
    ticks = linear_ticks(low, high, count)
    slack = (high - low) * 1e-6
    assert 2 <= len(ticks) <= 2 * count + 2
    assert all(low - slack <= t <= high + slack for t in ticks)
    steps = [b - a for a, b in itertools.pairwise(ticks)]
    assert all(math.isclose(s, steps[0], rel_tol=1e-3) for s in steps)


def test_log_ticks_are_decades_and_more_where_there_is_room() -> None:
    assert log_ticks(0.001, 10, 5) == pytest.approx([0.001, 0.01, 0.1, 1, 10])
    assert log_ticks(0.01, 1, 8) == pytest.approx([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1])
    assert log_ticks(1e-8, 1, 3) == pytest.approx([1e-8, 1e-5, 1e-2])
    within = log_ticks(0.031, 0.038, 4)
    assert len(within) >= 2
    assert all(0.031 <= t <= 0.038 for t in within)


@pytest.mark.parametrize(
    ("ticks", "labels"),
    [
        ([0, 5000, 10000], ["0", "5k", "10k"]),
        ([0, 500_000, 1_000_000], ["0", "0.5M", "1.0M"]),
        ([0.02, 0.04, 0.06], ["0.02", "0.04", "0.06"]),
        ([0.001, 0.01, 0.1], ["0.001", "0.01", "0.1"]),
        ([0, 1e-4, 2e-4], ["0", "1e-4", "2e-4"]),
        ([-2, 0, 2], ["-2", "0", "2"]),
        ([], []),
    ],
)
def test_labels(ticks: list[float], labels: list[str]) -> None:
    assert tick_labels(ticks) == labels


@given(st.floats(1e-5, 1e11), st.floats(0.01, 100), st.integers(2, 8))
def test_labels_tell_ticks_apart(low: float, share: float, count: int) -> None:
    labels = tick_labels(linear_ticks(low, low * (1 + share), count))
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12_400, "12.4k"),
        (1_200_000, "1.2M"),
        (0.0231, "0.0231"),
        (0.00021, "2.1e-4"),
        (999.9, "1k"),
        (999_999, "1M"),
        (0, "0"),
        (-1500, "-1.5k"),
        (512, "512"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
    ],
)
def test_short_numbers(value: float, text: str) -> None:
    assert short(value) == text


def test_bounds_leave_out_what_cannot_be_drawn() -> None:
    assert bounds([3, float("nan"), 1, float("inf")]) == (1, 3)
    assert bounds([-1, 0, 2, 8], log=True) == (2, 8)
    assert bounds([float("nan")]) is None
    assert bounds([0.0], log=True) is None
    low, high = bounds([5.0]) or (0, 0)
    assert low < 5 < high


@given(st.floats(0.001, 0.999), st.booleans())
def test_a_scale_goes_there_and_back(share: float, log: bool) -> None:
    scale = Scale(0.01, 10, 200, log)
    value = 0.01 + share * 9.99
    assert scale.value(scale.dot(value)) == pytest.approx(value)
    assert 0 <= scale.dot(value) <= 199


def test_zoom_keeps_its_place_and_stays_inside() -> None:
    assert zoomed((0, 100), (0, 100), 50, 0.5) == (25, 75)
    assert zoomed((0, 100), (0, 100), None, 0.5) == (50, 100)
    assert zoomed((0, 100), (25, 75), 50, 2.0) == (0, 100)
    assert zoomed((0, 100), (0, 20), 0, 2.0) == (0, 40)
    assert zoomed((0, 100), (90, 100), 91, 4.0)[1] == 100
    tiny = (50.0, 50.00001)
    assert zoomed((0, 100), tiny, 50.0, 0.5) == tiny
