"""Events of likelihood runs as rows: what is no number of ours is left out, and the rest is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runs import derived, likelihoods
from runs.catalogue import Catalogue
from tests.runs.records import append, event, make_home, make_run, started
from tests.runs.test_evaluations import parent_of
from tests.runs.test_record import batch

GOOD: dict[str, Any] = {
    "split": "test", "done": 10, "count": 20, "bits_per_dim": 2.5, "error": 0.03, "prior": 1e-5,
    "decoder": 0.4, "edges": [0, 1, 10], "terms": [0.4, 0.02],
}  # fmt: skip


def told(**changes: Any) -> dict[str, Any]:
    return event("bits_per_dim", step=7, images_seen=56, **{**GOOD, **changes})


def test_the_latest_of_each_part_counts() -> None:
    found = batch(told(done=5), told(split="train", error=None), told()).progress
    train, test = likelihoods.rows(found.likelihood)
    assert (train.split, test.split, test.done) == ("train", "test", 10)
    assert test.edges == (0, 1, 10)
    words = likelihoods.words([train, test])
    assert words == {"bits/dim": "2.500 of 10 train images, 2.500 ± 0.030 of 10 test images"}
    assert likelihoods.words([]) == {}


@pytest.mark.parametrize(
    "changes", [{"split": "other"}, {"split": None}, {"done": -1}, {"count": "x"}, {"bits_per_dim": None}]
)
def test_what_says_nothing_is_counted_as_a_bad_line(changes: dict[str, Any]) -> None:
    found = batch(told(**changes)).progress
    assert (found.likelihood, found.bad_lines) == ({}, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"edges": [0, 1]},
        {"edges": None},
        {"edges": [0, 10, 1]},
        {"edges": [0, 0, 1]},
        {"terms": [0.4, None]},
        {"terms": [0.4, "x"]},
        {"terms": [], "edges": [0]},
        {"terms": [0.1] * 2000, "edges": list(range(2001))},
    ],
)
def test_a_curve_that_is_none_leaves_the_number(changes: dict[str, Any]) -> None:
    (row,) = likelihoods.rows(batch(told(**changes)).progress.likelihood)
    assert (row.bits_per_dim, row.edges, row.terms) == (2.5, (), ())


def test_several_are_set_side_by_side() -> None:
    rows = likelihoods.rows(batch(told()).progress.likelihood)
    assert likelihoods.contrast([(), rows]) == {"bits/dim, test": [None, "2.500 ± 0.030"]}
    assert likelihoods.contrast([(), ()]) == {}


def test_a_training_tells_of_the_newest_run_of_it_that_came_to_anything(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    training = make_run(home, 1, "subject")
    append(training, started())
    parent = parent_of(training)
    for number, events in ((2, [told(bits_per_dim=3.0)]), (3, [told()]), (4, [])):
        append(make_run(home, number, kind="likelihood", parent=parent), started(7), *events)
    with Catalogue(home) as catalogue:
        catalogue.sync()
        found = [[row.bits_per_dim for row in catalogue.detail(n).likelihood] for n in (1, 2, 3, 4)]
    assert found == [[2.5], [3.0], [2.5], []]


def seconds_left(*events: dict[str, Any]) -> tuple[Any, Any, Any]:
    values, _ = derived.run_values(
        "likelihood",
        "running",
        batch(*events).progress,
        planned_steps=None,
        requested_device=None,
        exit_info={},
        newest=(),
    )
    return values["step"], values["total_steps"], values["seconds_left"]


def test_progress_and_pace_are_those_of_the_images_of_all_parts() -> None:
    times = [f"2026-11-23T10:00:{second:02d}Z" for second in (0, 10, 20, 30)]
    begun = {**started(7), "time": times[0], "dataset_size": 40}
    first = {**told(split="train", done=20), "time": times[1]}
    assert seconds_left(begun, first) == (20, 40, pytest.approx(10))
    again = {**begun, "time": times[2]}
    assert seconds_left(begun, first, again) == (20, 40, None)
    later = {**told(done=10), "time": times[3]}
    assert seconds_left(begun, first, again, later) == (30, 40, pytest.approx(10))
