"""Smoothing begins at the first value, keeps a constant, and skips what is not finite."""

from __future__ import annotations

import math

import pytest

from runs.rows import Bucket
from tui.widgets.smoothing import smooth


def points(*values: float) -> list[Bucket]:
    return [Bucket(float(i), v - 1, v + 1, v) for i, v in enumerate(values)]


def test_no_weight_changes_no_mean() -> None:
    assert [p.mean for p in smooth(points(3, 1, 2), 0)] == [3, 1, 2]


def test_it_is_debiased() -> None:
    assert [p.mean for p in smooth(points(5, 5, 5), 0.9)] == pytest.approx([5, 5, 5])
    # By hand: (0.9 * 0.1 * 1 + 0.1 * 2) / (1 - 0.81)
    assert smooth(points(1, 2), 0.9)[1].mean == pytest.approx(0.29 / 0.19)


def test_per_a_distance_it_does_not_matter_how_many_points_there_are() -> None:
    many = [Bucket(i / 10, v, v, v) for i in range(1, 501) for v in [math.exp(-i / 100)]]
    few = many[9::10]
    smoothed = [smooth(p, 0.8, per=1.0)[-1].mean for p in (many, few)]
    assert smoothed[0] == pytest.approx(smoothed[1], rel=0.1)
    assert smooth(few, 0.8, per=0.01)[-1].mean == pytest.approx(few[-1].mean)


def test_a_gap_stays_and_is_not_averaged_in() -> None:
    smoothed = smooth(points(1, math.nan, 1), 0.5)
    assert math.isnan(smoothed[1].mean)
    assert smoothed[2].mean == pytest.approx(1)


def test_x_stays_and_the_range_is_the_mean() -> None:
    last = smooth(points(1, 3), 0.5)[1]
    assert (last.x, last.low, last.high) == (1.0, last.mean, last.mean)


@pytest.mark.parametrize("weight", [-0.1, 1.0, math.nan])
def test_a_weight_out_of_range_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="smoothing weight"):
        smooth(points(1), weight)
