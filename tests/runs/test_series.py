"""Buckets and sparks against the same computed in Python."""

from __future__ import annotations

import math
import random
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from runs.catalogue import Catalogue
from runs.errors import RunError
from runs.home import Home
from runs.rows import METRICS, Bucket
from runs.schema import metric
from tests.runs.records import append, make_home, make_run, metrics


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "home")


@pytest.fixture
def catalogue(home: Home) -> Catalogue:
    return Catalogue(home)


def fill(catalogue: Catalogue, home: Home, number: int, points: dict[int, float | None]) -> None:
    """A run with these losses by step; 8 images a step, a second a step."""
    make_run(home, number)
    catalogue.sync()
    rows = [
        {"run_id": number, "step": step, "images_seen": 8 * step, "time": 1e9 + step, "loss": loss}
        for step, loss in points.items()
    ]
    with catalogue._database.writing() as connection:
        connection.execute(insert(metric), rows)


def expected(points: dict[int, float | None], count: int, low: float, high: float) -> list[Bucket]:
    parts: dict[int, list[tuple[float, float]]] = {}
    for step, y in points.items():
        x = 8.0 * step
        if y is not None and low <= x <= high:
            part = int((x - low) * count / (high - low)) if high > low else 0
            parts.setdefault(min(part, count - 1), []).append((x, y))
    return [
        Bucket(
            sum(x for x, _ in part) / len(part),
            min(y for _, y in part),
            max(y for _, y in part),
            sum(y for _, y in part) / len(part),
        )
        for _, part in sorted(parts.items())
    ]


def assert_same(found: list[Bucket], wanted: list[Bucket]) -> None:
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        for name in ("x", "low", "high", "mean"):
            assert getattr(one, name) == pytest.approx(getattr(other, name))


def test_buckets_have_the_extremes_and_means_of_their_points(catalogue: Catalogue, home: Home) -> None:
    draw = random.Random(1)
    points: dict[int, float | None] = {step: draw.gauss(0, 1) for step in range(1, 2001, 3)}
    points[100] = None
    fill(catalogue, home, 1, points)
    assert_same(catalogue.series(1, buckets=50), expected(points, 50, 8, 8 * 1999))
    assert_same(catalogue.series(1, buckets=7, first=800, last=1600), expected(points, 7, 800, 1600))
    assert_same(catalogue.series(1, buckets=9, first=4000), expected(points, 9, 4000, 8 * 1999))
    assert_same(catalogue.series(1, buckets=1), expected(points, 1, 8, 8 * 1999))


@settings(max_examples=15, deadline=None)
@given(
    points=st.dictionaries(st.integers(0, 300), st.none() | st.floats(-1e6, 1e6), min_size=1, max_size=60),
    count=st.integers(1, 40),
)
def test_any_points_fall_into_their_buckets(
    tmp_path_factory: pytest.TempPathFactory, points: dict[int, float | None], count: int
) -> None:
    home = make_home(tmp_path_factory.mktemp("series") / "home")
    with Catalogue(home) as catalogue:
        fill(catalogue, home, 1, points)
        known = [8.0 * step for step, y in points.items() if y is not None]
        wanted = expected(points, count, min(known), max(known)) if known else []
        assert_same(catalogue.series(1, buckets=count), wanted)


def test_the_axis_may_be_steps_or_time(catalogue: Catalogue, home: Home) -> None:
    fill(catalogue, home, 1, {10: 1.0, 20: 2.0})
    assert [bucket.x for bucket in catalogue.series(1, x="step")] == [10, 20]
    assert [bucket.x for bucket in catalogue.series(1, x="time")] == [1e9 + 10, 1e9 + 20]


def test_one_point_nothing_and_no_run(catalogue: Catalogue, home: Home) -> None:
    fill(catalogue, home, 1, {10: 1.5})
    assert catalogue.series(1) == [Bucket(80.0, 1.5, 1.5, 1.5)]
    assert catalogue.series(1, first=100) == catalogue.series(99) == []
    assert catalogue.series(1, metric="gradient_norm") == []


def test_every_metric_that_is_recorded_can_be_asked_for(catalogue: Catalogue, home: Home) -> None:
    append(make_run(home, 1), metrics(10, 0.5))
    catalogue.sync()
    assert {name: catalogue.series(1, name)[0].mean for name in METRICS} == {
        "loss": 0.5,
        "learning_rate": 1e-3,
        "gradient_norm": 0.25,
        "images_per_second": 100.0,
    }


@pytest.mark.parametrize("name", ["losses", "loss FROM metric; DROP TABLE metric; --", ""])
def test_other_names_are_refused(catalogue: Catalogue, name: str) -> None:
    with pytest.raises(RunError, match="loss, learning_rate"):
        catalogue.series(1, metric=name)
    with pytest.raises(RunError, match="loss, learning_rate"):
        catalogue.sparks([1], metric=name)
    with pytest.raises(RunError, match="images_seen, step, time"):
        catalogue.series(1, x=name)


def test_sparks_are_means_of_the_parts_of_each_run(catalogue: Catalogue, home: Home) -> None:
    fill(catalogue, home, 1, {step: float((step - 1) // 10) for step in range(1, 41)})
    fill(catalogue, home, 2, {5: 3.0})
    fill(catalogue, home, 3, {5: None})
    make_run(home, 4)
    catalogue.sync()
    found = catalogue.sparks([1, 2, 3, 4, 99], buckets=4)
    assert found == {1: [0.0, 1.0, 2.0, 3.0], 2: [3.0]}
    assert catalogue.sparks([]) == catalogue.sparks([1], buckets=0) == {}


def test_a_spark_ends_with_the_newest_rows(catalogue: Catalogue, home: Home) -> None:
    fill(catalogue, home, 1, {step: 1.0 if step <= 9_984 else 0.0 for step in range(1, 10_001)})
    spark = catalogue.sparks([1])[1]
    assert len(spark) == 16
    assert spark[-1] == 0.0
    assert spark[:-1] == [1.0] * 15


def test_a_hundred_thousand_rows_are_reduced_quickly(catalogue: Catalogue, home: Home) -> None:
    """Against a bare count of the same rows, so that a busy machine does not matter much."""
    fill(catalogue, home, 1, {step: math.sin(step) for step in range(100_000)})

    def seconds(work: object) -> float:
        assert callable(work)
        best = math.inf
        for _ in range(3):
            begin = time.process_time()
            work()
            best = min(best, time.process_time() - begin)
        return best

    with catalogue._database.reading() as connection:
        query = "SELECT sum(loss), sum(images_seen), max(loss) FROM metric WHERE run_id = 1"
        bare = seconds(lambda: connection.exec_driver_sql(query).all())
    assert seconds(lambda: catalogue.series(1)) < 25 * bare
    assert seconds(lambda: catalogue.sparks([1])) < bare
