"""Evaluations as the catalogue has them: whose they are, which decides, which rank together."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ddpm.evaluation.protocol import identity
from runs.catalogue import Catalogue
from runs.home import Home
from runs.sync import reindex
from tests.runs.records import (
    TIME,
    alive,
    append,
    contents,
    edit,
    end,
    evaluated,
    evaluating,
    event,
    make_home,
    make_old,
    make_run,
    metrics,
    protocol,
    started,
)

LATER = "2026-11-24T10:00:00Z"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "home")


def parent_of(path: Path, step: int = 10) -> dict[str, Any]:
    info = json.loads((path / "run.json").read_text())
    return {"uuid": info["uuid"], "id": info["id"], "name": info["name"], "step": step}


def make_evaluation(home: Home, number: int, subject: Path, *events: Any, **changes: Any) -> Path:
    path = make_run(home, number, kind="evaluate", parent=parent_of(subject), **changes)
    config = (path / "config.toml").read_text() + "\n[evaluation]\nsamples = 64\n"
    (path / "config.toml").write_text(config)
    append(path, started(10), *events)
    return path


def test_the_scores_of_a_checkpoint_are_those_of_its_training(home: Home) -> None:
    training = make_run(home, 1, "digits")
    append(training, started(), metrics(10))
    make_evaluation(home, 2, training, evaluated(10, 12.5, images_seen=80))
    with Catalogue(home) as catalogue:
        catalogue.sync()
        (found,) = catalogue.detail(1).evaluations
        assert catalogue.detail(2).evaluations == (found,)
        assert (found.run_id, found.run_name, found.subject_id, found.subject_name) == (
            2, "run-2", 1, "digits",
        )  # fmt: skip
        assert (found.step, found.images_seen, found.fid, found.kid, found.kid_error) == (
            10, 80, 12.5, 0.01, 0.001,
        )  # fmt: skip
        assert (found.precision, found.recall, found.density, found.coverage) == (0.5, 0.25, 0.75, 0.5)
        assert (found.classifier_fd, found.samples, found.seed, found.seconds) == (None, 64, 3, 30.0)
        assert found.floor == {"split": "test", "samples": 64, "fid": 1.5}
        assert found.protocol == protocol()
        assert found.protocol_id == identity(protocol())
        assert found.created_at == TIME
        assert [row.fid for row in catalogue.runs()] == [12.5, 12.5]


def test_a_training_may_evaluate_itself(home: Home) -> None:
    training = make_run(home, 1)
    append(training, started(), evaluated(10, 30.0), metrics(20), evaluated(20, 20.0, time=LATER))
    with Catalogue(home) as catalogue:
        catalogue.sync()
        detail = catalogue.detail(1)
        assert [(e.step, e.fid, e.run_id, e.subject_id) for e in detail.evaluations] == [
            (10, 30.0, 1, 1),
            (20, 20.0, 1, 1),
        ]
        assert detail.row.fid == 20.0


def test_the_fid_of_a_run_is_that_of_its_latest_checkpoint_by_the_most_images(home: Home) -> None:
    training = make_run(home, 1)
    other = make_run(home, 2)
    append(training, started(), evaluated(10, 30.0, samples=None))
    few, many = protocol(samples=500), protocol(samples=10_000)

    def fids(catalogue: Catalogue) -> list[float | None]:
        catalogue.sync()
        rows = sorted(catalogue.runs(), key=lambda row: row.id)
        for row in rows:
            decisive = catalogue.detail(row.id).decisive
            assert row.fid == (decisive and decisive.fid)
            told = catalogue.fid_protocols().get(row.id)
            assert told == (decisive and decisive.fid_protocol)
        return [row.fid for row in rows]

    with Catalogue(home) as catalogue:
        make_evaluation(home, 3, training, evaluated(5, 40.0, time=LATER, samples=50_000))
        make_evaluation(home, 4, other, evaluated(10, 7.0))
        assert fids(catalogue) == [30.0, 7.0, 40.0, 7.0]  # an earlier checkpoint decides nothing
        best = make_evaluation(home, 5, training, evaluated(10, 8.0, samples=10_000, protocol=many))
        assert fids(catalogue)[0] == 8.0
        make_evaluation(home, 6, training, evaluated(10, 90.0, time=LATER, samples=500, protocol=few))
        assert fids(catalogue)[0] == 8.0  # nor one that is later, of fewer images
        shutil.rmtree(best)  # as by `rm`
        assert fids(catalogue)[0] == 90.0
        make_evaluation(home, 7, training, evaluated(20, 95.0, samples=64))
        assert fids(catalogue)[0] == 95.0


def test_a_sample_of_a_training_is_no_evaluation_of_it(home: Home) -> None:
    training = make_run(home, 1)
    child = make_run(home, 2, parent=parent_of(training))  # trained on from its weights
    append(child, started(), evaluated(10, 30.0))
    with Catalogue(home) as catalogue:
        catalogue.sync()
        assert [row.fid for row in catalogue.runs()] == [30.0, None]
        assert catalogue.detail(1).evaluations == ()
        assert [e.subject_id for e in catalogue.detail(2).evaluations] == [2]


def test_an_evaluation_of_a_training_that_comes_later_or_goes(home: Home, tmp_path: Path) -> None:
    """Copied from elsewhere: the uuid tells whose evaluation it is, whatever number and name it gets here."""
    elsewhere = make_home(tmp_path / "elsewhere")
    training = make_run(elsewhere, 1, "theirs")
    append(training, started(), metrics(10))
    end(training)
    make_run(home, 1, "mine")
    make_evaluation(home, 2, training, evaluated(10, 9.0))
    with Catalogue(home) as catalogue:
        catalogue.sync()
        (found,) = catalogue.detail(2).evaluations
        assert (found.subject_id, found.subject_name) == (None, None)
        assert catalogue.runs()[0].parent is None
        shutil.copytree(training, home.runs / "copied")
        catalogue.sync()
        theirs = catalogue.find("theirs")
        assert (theirs.id, theirs.fid) == (3, 9.0)
        assert [e.subject_name for e in catalogue.detail(3).evaluations] == ["theirs"]
        assert [e.subject_id for e in catalogue.detail(2).evaluations] == [3]
        assert catalogue.detail(1).evaluations == ()
        edit(home.runs / "copied", name="renamed")
        catalogue.sync()
        assert [e.subject_name for s in catalogue.leaderboard() for e in s.rows] == ["renamed"]
        shutil.rmtree(home.runs / "copied")
        catalogue.sync()
        assert [e.subject_id for e in catalogue.detail(2).evaluations] == [None]
        assert catalogue.find("2").fid == 9.0


def test_a_start_voids_the_evaluations_beyond_it(home: Home) -> None:
    training = make_run(home, 1)
    append(training, started(), evaluated(10, 30.0), evaluated(20, 20.0, time=LATER))
    with Catalogue(home) as catalogue:
        catalogue.sync()
        assert catalogue.runs()[0].fid == 20.0
        append(training, started(10))
        catalogue.sync()
        assert [e.fid for e in catalogue.detail(1).evaluations] == [30.0]
        assert catalogue.runs()[0].fid == 30.0
        append(training, evaluated(20, 25.0), started(20), evaluated(20, 26.0))
        catalogue.sync()
        assert [e.fid for e in catalogue.detail(1).evaluations] == [30.0, 26.0]


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_however_the_file_was_cut_the_tables_are_the_same(home: Home, cut: int) -> None:
    """Half lines, several syncs, and a catalogue built anew all give the same rows."""
    training = make_run(home, 1)
    other = make_evaluation(home, 2, training)
    lines = [started(), metrics(10), evaluated(10, 30.0), evaluating("samples", 5, step=20)]
    lines += [evaluated(20, 20.0), started(10), evaluated(20, 22.0, protocol=protocol(samples=9))]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    with Catalogue(home) as catalogue:
        for part in range(cut):
            append(training, text[len(text) * part // cut : len(text) * (part + 1) // cut])
            catalogue.sync()
    append(other, evaluating("samples", 64), evaluated(10, 5.0, time=LATER))
    for path in (training, other):
        append(path, event("ended", status="finished", step=20))
        end(path)
        make_old(path)
    with Catalogue(home) as catalogue:
        catalogue.sync()
    before = contents(home)
    assert len(before["evaluation"]) == 3
    assert reindex(home) == 2
    assert contents(home) == before


@pytest.mark.parametrize(
    "bad",
    [
        {"fid": None}, {"fid": float("nan")}, {"fid": "3.15"}, {"fid": True}, {"step": None}, {"step": -1},
        {"protocol": None}, {"protocol": "tensorflow"}, {"protocol": []},
    ],
)  # fmt: skip
def test_a_score_without_step_fid_or_protocol_says_nothing(home: Home, bad: dict[str, Any]) -> None:
    path = make_run(home, 1)
    append(path, started(), {**evaluated(10), **bad})
    with Catalogue(home) as catalogue:
        catalogue.sync()
        assert catalogue.detail(1).evaluations == ()
        assert catalogue.detail(1).notices == ("lines of events.jsonl that could not be read: 1",)
        assert catalogue.leaderboard() == []


@pytest.mark.parametrize("bad", [None, float("inf"), "x", [1], True])
def test_other_values_of_the_wrong_type_are_unknown(home: Home, bad: Any) -> None:
    keys = ("kid", "recall", "floor", "samples", "seed", "sampling_seconds", "time")
    append(make_run(home, 1), {**evaluated(10), **dict.fromkeys(keys, bad)})
    with Catalogue(home) as catalogue:
        catalogue.sync()
        (found,) = catalogue.detail(1).evaluations
        assert (found.fid, found.kid, found.recall, found.floor) == (12.5, None, None, None)
        assert (found.samples, found.seed, found.seconds, found.created_at) == (None, None, None, None)


def test_the_leaderboard_ranks_only_under_equal_protocols(home: Home) -> None:
    few = protocol(samples=16)
    first, second = make_run(home, 1, "first"), make_run(home, 2, "second")
    append(first, started(), evaluated(10, 30.0), evaluated(20, 25.0, protocol_id="of another version"))
    append(second, started(), evaluated(10, 27.0, floor=None, protocol=protocol(companions=None)))
    make_evaluation(home, 3, first, evaluated(20, 99.0, protocol=few, floor=None, time=LATER))
    with Catalogue(home) as catalogue:
        catalogue.sync()
        large, small = catalogue.leaderboard()
        assert [(e.subject_name, e.step, e.fid) for e in large.rows] == [
            ("first", 20, 25.0),
            ("second", 10, 27.0),
            ("first", 10, 30.0),
        ]
        assert large.protocol_id == identity(protocol())
        assert large.floor == {"split": "test", "samples": 64, "fid": 1.5}
        assert [(e.run_name, e.fid) for e in small.rows] == [("run-3", 99.0)]
        assert (small.protocol, small.floor) == (few, None)


def test_how_far_an_evaluation_has_come(home: Home) -> None:
    path = make_evaluation(home, 2, make_run(home, 1))
    with Catalogue(home) as catalogue, alive(path):

        def look() -> tuple[Any, ...]:
            catalogue.sync()
            row, now = catalogue.find("2"), catalogue.detail(2).evaluating
            told = now and (now.stage, now.done, now.total, now.seconds_left)
            return row.step, row.total_steps, row.seconds_left, told

        assert look() == (0, 64, None, None)
        append(path, evaluating("reference", 100, 10_000, 10.0))
        assert look() == (0, 64, None, ("reference", 100, 10_000, None))
        append(path, evaluating("reference", 300, 10_000, 20.0))
        assert look() == (0, 64, None, ("reference", 300, 10_000, pytest.approx(9700 / 20)))
        append(path, evaluating("samples", 16, seconds=8.0), evaluating("samples", 32, seconds=12.0))
        assert look() == (32, 64, pytest.approx(8.0), ("samples", 32, 64, pytest.approx(8.0)))
        append(path, evaluating("scores", 0, 4))
        assert look() == (32, 64, None, ("scores", 0, 4, None))
        append(path, evaluated(10))
        assert look() == (64, 64, None, None)


def test_a_row_tells_how_much_of_the_reference_is_done_until_images_are_drawn(home: Home) -> None:
    path = make_evaluation(home, 2, make_run(home, 1))
    with Catalogue(home) as catalogue:

        def look() -> float | None:
            catalogue.sync()
            return catalogue.find("2").preparing

        with alive(path):
            assert look() is None
            append(path, evaluating("reference", 2500, 10_000, 10.0))
            assert look() == 0.25
            append(path, evaluating("samples", 0, seconds=0.0))
            assert look() is None
            append(path, started(10), evaluating("reference", 1, 2, 10.0))
            assert look() == 0.5
        assert (look(), catalogue.find("2").status) == (None, "lost")


def test_an_evaluation_that_goes_on_reckons_by_its_own_pace(home: Home) -> None:
    """What an earlier process drew is done, but not by this one."""
    path = make_evaluation(home, 2, make_run(home, 1), evaluating("samples", 48, seconds=1000.0))
    with Catalogue(home) as catalogue:
        catalogue.sync()
        row = catalogue.find("2")
        assert (row.status, row.step, row.total_steps, row.seconds_left) == ("lost", 48, 64, None)
        assert catalogue.detail(2).evaluating is None
        with alive(path):
            append(path, started(10), evaluating("samples", 50, seconds=1.0))
            append(path, evaluating("samples", 54, seconds=3.0))
            catalogue.sync()
            assert catalogue.find("2").seconds_left == pytest.approx(5.0)


def test_the_time_left_is_reckoned_by_whole_batches(home: Home) -> None:
    """A batch is drawn for long, and then its images are done one after the other."""
    path = make_evaluation(home, 2, make_run(home, 1))

    def left(*events: tuple[int, float]) -> float | None:
        append(path, *(evaluating("samples", done, seconds=seconds) for done, seconds in events))
        catalogue.sync()
        return catalogue.find("2").seconds_left

    with Catalogue(home) as catalogue, alive(path):
        assert left((0, 0.0), (0, 10.0), (0, 90.0)) is None
        assert left((8, 92.0), (16, 100.0)) is None  # the next batch has to be drawn first
        assert left((16, 101.0)) == pytest.approx(3 * 100 - 1)
        assert left((16, 190.0)) == pytest.approx(3 * 100 - 90)
        assert left((24, 195.0)) == pytest.approx(3 * 100 - 95)
        assert left((32, 200.0), (32, 201.0)) == pytest.approx(2 * 100 - 1)
        assert left((32, 999.0)) == 0.0  # longer than the others
        append(path, started(10))
        assert left((32, 0.0), (32, 2.0), (40, 3.0)) is None
        assert left((48, 4.0)) == pytest.approx(16 * 4.0 / 16)  # the features take long, the drawing does not


def test_while_a_training_evaluates_itself_its_own_steps_count(home: Home) -> None:
    path = make_run(home, 1)
    append(path, started(), metrics(10), evaluating("samples", 5, step=10), evaluating("samples", 9, step=10))
    with Catalogue(home) as catalogue, alive(path):
        catalogue.sync()
        now = catalogue.detail(1).evaluating
        assert now is not None
        assert (now.stage, now.done) == ("samples", 9)
        assert (catalogue.find("1").step, catalogue.find("1").total_steps) == (10, 1000)
        append(path, metrics(20))  # it was given up, and the training goes on
        catalogue.sync()
        assert catalogue.detail(1).evaluating is None


@pytest.mark.parametrize("bad", [{"stage": None}, {"done": -1}, {"total": "x"}, {"seconds": None}])
def test_progress_that_is_none_is_counted(home: Home, bad: dict[str, Any]) -> None:
    append(make_run(home, 1), {**evaluating("samples", 5), **bad})
    with Catalogue(home) as catalogue:
        catalogue.sync()
        assert catalogue.detail(1).notices == ("lines of events.jsonl that could not be read: 1",)
