"""Sync: what stands in the run directories stands in the catalogue, whatever happened in between."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from runs import record
from runs.catalogue import Catalogue
from runs.home import Home
from tests.runs.records import (
    TIME,
    alive,
    append,
    checkpoint,
    edit,
    end,
    event,
    make_home,
    make_old,
    make_run,
    metrics,
    samples,
    started,
    write_by_rename,
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "home")


def losses(catalogue: Catalogue, run_id: int = 1) -> list[float]:
    return [bucket.mean for bucket in catalogue.series(run_id, buckets=1000, x="step")]


# -- events --------------------------------------------------------------------------------------------


def test_a_finished_run_is_read_whole(home: Home) -> None:
    path = make_run(home, 1, tags=["a", "b"], notes="first", preset="digits")
    append(path, started(), metrics(10, 0.9), metrics(20, 0.4), checkpoint(20), samples(20))
    append(path, event("notice", text="2 images skipped"), event("ended", status="finished", step=20))
    end(path)
    with Catalogue(home) as catalogue:
        assert catalogue.sync()
        row = catalogue.runs()[0]
        assert (row.id, row.name, row.kind, row.status, row.preset) == (
            1,
            "run-1",
            "train",
            "finished",
            "digits",
        )
        assert (row.step, row.total_steps, row.loss, row.images_per_second) == (20, 1000, 0.4, 100.0)
        assert (row.device, row.created_at, row.ended_at) == (
            "cpu",
            "2026-11-02T10:00:00Z",
            "2026-11-23T11:00:00Z",
        )
        assert (row.path, row.tags, row.parent, row.fid) == (str(path), ("a", "b"), None, None)
        detail = catalogue.detail(1)
        assert detail.notices == ("2 images skipped",)
        assert detail.config["training"] == {"steps": 1000}
        assert detail.started_at == "2026-11-23T10:00:00Z"
        assert (detail.parameters, detail.dataset_size, detail.device_name) == (1234, 1797, "a CPU")
        assert [c.path for c in detail.checkpoints] == [f"{path}/checkpoints/00000020"]
        assert [(s.path, s.count, s.seed) for s in detail.samples] == [
            (f"{path}/samples/00000020.png", 16, 0)
        ]
        assert catalogue.skipped == []


def test_half_a_last_line_waits_for_its_end(home: Home) -> None:
    path = make_run(home, 1)
    line = json.dumps(metrics(10, 0.7)) + "\n"
    append(path, started(), line[:25])
    with Catalogue(home) as catalogue:
        catalogue.sync()
        assert losses(catalogue) == []
        append(path, line[25:])
        assert catalogue.sync()
        assert losses(catalogue) == [0.7]
        assert catalogue.detail(1).notices == ()


def test_lines_that_are_no_events_are_passed_over_and_counted(home: Home) -> None:
    path = make_run(home, 1)
    append(path, started(), "not json\n", "[1, 2]\n", '"text"\n', "\n", "[" * 100_000 + "\n", '{"a": 1} x\n')
    with (path / "events.jsonl").open("ab") as file:
        file.write(b"\xff\xfe\n")
    append(path, event("of_a_newer_version", x=1), metrics(10, 0.3))
    with Catalogue(home) as catalogue:
        catalogue.sync()
        assert losses(catalogue) == [0.3]
        assert catalogue.detail(1).notices == ("lines of events.jsonl that could not be read: 7",)


def test_a_line_without_end_is_skipped_and_costs_no_memory(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "LINE_LIMIT", 1000)
    path = make_run(home, 1)
    append(
        path,
        started(),
        metrics(10, 0.3),
        '{"event": "notice", "text": "' + "x" * 5000 + '"}\n',
        metrics(20, 0.2),
    )
    with Catalogue(home) as catalogue:
        catalogue.sync()
        assert losses(catalogue) == [0.3, 0.2]
        assert catalogue.detail(1).notices == ("lines of events.jsonl that could not be read: 1",)


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf"), "0.5", True, [1], {"a": 1}, 10**400])
def test_values_of_the_wrong_type_are_unknown(home: Home, bad: Any) -> None:
    path = make_run(home, 1)
    append(path, started(total_steps=bad, parameters=bad, device=5), metrics(10, bad, images_per_second=bad))
    append(path, event("denoising", index=bad, total=1, timestep=0, done=0, count=1))
    with Catalogue(home) as catalogue:
        catalogue.sync()
        row, detail = catalogue.runs()[0], catalogue.detail(1)
        assert (row.step, row.loss, row.images_per_second, row.device) == (10, None, None, None)
        assert row.total_steps == 1000  # what the configuration says
        assert (detail.parameters, detail.frame) == (None, None)
        assert losses(catalogue) == []


def test_a_time_that_is_none_is_unknown(home: Home) -> None:
    append(make_run(home, 1), checkpoint(10, time="soon"), samples(10, time=None), samples(20))
    with Catalogue(home) as catalogue:
        catalogue.sync()
        detail = catalogue.detail(1)
        assert [row.created_at for row in (*detail.checkpoints, *detail.samples)] == [None, None, TIME]


def test_a_start_voids_what_lies_beyond_it(home: Home) -> None:
    path = make_run(home, 1)
    append(path, started(), metrics(10, 0.9), checkpoint(10), samples(10), metrics(20, 0.8))
    append(path, checkpoint(20), samples(20), metrics(30, 0.7))
    with Catalogue(home) as catalogue:
        catalogue.sync()
        assert losses(catalogue) == [0.9, 0.8, 0.7]
        append(path, started(10))
        catalogue.sync()
        assert losses(catalogue) == [0.9]
        row, detail = catalogue.runs()[0], catalogue.detail(1)
        assert (row.step, row.loss) == (10, 0.9)
        assert [c.step for c in detail.checkpoints] == [s.step for s in detail.samples] == [10]
        append(path, metrics(20, 0.1), checkpoint(20), event("checkpoint_removed", step=10))
        catalogue.sync()
        assert losses(catalogue) == [0.9, 0.1]
        assert [c.step for c in catalogue.detail(1).checkpoints] == [20]


def test_paths_that_leave_the_run_directory_are_ignored(home: Home) -> None:
    path = make_run(home, 1)
    for bad in ("/etc/passwd", "../x", "checkpoints/../../x", "a\0b", "~/x", "", 7, "..\\x"):
        append(path, checkpoint(5, path=bad), samples(5, path=bad))
    append(
        path,
        event("denoising", index=1, total=2, timestep=5, done=0, count=4, x_t="../x", x_0="frames/1.png"),
    )
    with Catalogue(home) as catalogue:
        catalogue.sync()
        detail = catalogue.detail(1)
        assert detail.checkpoints == detail.samples == ()
        assert detail.frame is not None
        assert (detail.frame.x_t, detail.frame.x_0) == (None, f"{path}/frames/1.png")


@pytest.mark.parametrize("how", ["shrunk", "replaced", "rewritten"])
def test_a_record_that_is_another_is_read_from_its_start(home: Home, how: str) -> None:
    path = make_run(home, 1)
    append(path, started(), metrics(10, 0.9), metrics(20, 0.8), checkpoint(20))
    with Catalogue(home) as catalogue:
        catalogue.sync()
        lines = [json.dumps(item) + "\n" for item in (metrics(10, 0.2), started(10))]
        if how == "shrunk":
            (path / "events.jsonl").write_text("".join(lines))
        elif how == "replaced":  # with the end of a line where there was one
            length = (path / "events.jsonl").stat().st_size
            filling = " " * (length - len("".join(lines)) - 1) + "\n"
            write_by_rename(path / "events.jsonl", "".join([*lines, filling]))
        else:  # in place and longer
            notice = json.dumps(event("notice", text="x" * 2000)) + "\n"
            (path / "events.jsonl").write_text("".join([notice, *lines]))
        catalogue.sync()
        assert losses(catalogue) == [0.2]
        assert catalogue.detail(1).checkpoints == ()
        unread = [notice for notice in catalogue.detail(1).notices if "could not be read" in notice]
        assert len(unread) == (how == "replaced")  # the filling


def test_a_long_record_comes_in_batches(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "BATCH_LINES", 10)
    path = make_run(home, 1)
    append(path, started(), *(metrics(step, step / 100) for step in range(1, 96)))
    with Catalogue(home) as catalogue:
        catalogue.sync()
        assert losses(catalogue) == [step / 100 for step in range(1, 96)]
        assert not catalogue.sync()


# -- status --------------------------------------------------------------------------------------------


def test_status_follows_the_run(home: Home) -> None:
    path = make_run(home, 1)
    append(
        path, started(), metrics(100, time="2026-11-23T10:00:50Z"), metrics(200, time="2026-11-23T10:01:40Z")
    )
    with Catalogue(home) as catalogue:
        with alive(path):
            catalogue.sync()
            row = catalogue.runs()[0]
            assert (row.status, row.ended_at) == ("running", None)
            assert row.seconds_left == pytest.approx(800 / 2)  # 100 steps in 50 seconds
            assert not catalogue.sync()
        assert catalogue.sync()
        row = catalogue.runs()[0]
        assert (row.status, row.seconds_left) == ("lost", None)
        end(path, "failed", message="killed by SIGKILL")
        assert catalogue.sync()
        assert catalogue.runs()[0].status == "failed"
        assert catalogue.detail(1).error == "killed by SIGKILL"


def test_a_resumed_run_runs_again_and_its_old_end_is_forgotten(home: Home) -> None:
    path = make_run(home, 1)
    append(
        path, started(), metrics(10), event("ended", status="failed", step=10, message="loss is not finite")
    )
    end(path, "failed")
    make_old(path)
    with Catalogue(home) as catalogue:
        catalogue.sync()
        assert (catalogue.runs()[0].status, catalogue.detail(1).error) == ("failed", "loss is not finite")
        with alive(path):
            (path / "exit.json").rename(path / "exit.1.json")
            append(path, started(10))
            assert catalogue.sync()
            assert catalogue.runs()[0].status == "running"
            assert (catalogue.runs()[0].ended_at, catalogue.detail(1).error) == (None, None)


@pytest.mark.parametrize(("status", "told"), [("failed", "killed at once"), ("stopped", None)])
def test_a_run_resumed_in_vain_tells_its_latest_end(home: Home, status: str, told: str | None) -> None:
    path = make_run(home, 1)
    append(path, started(), metrics(10), event("ended", step=10, message="disk full"))
    end(path, status, message=told)  # of a second start that never came to record anything
    with Catalogue(home) as catalogue:
        catalogue.sync()
        assert catalogue.detail(1).error == told


def test_ended_runs_cost_one_stat(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_run(home, 1)
    append(path, started())
    end(path)
    make_old(path)
    with Catalogue(home) as catalogue:
        catalogue.sync()

        def fail(*_: Any) -> None:
            raise AssertionError("an ended run was looked into")

        monkeypatch.setattr("runs.status.probe", fail)
        assert not catalogue.sync()
        edit(path, notes="new")
        with pytest.raises(AssertionError):
            catalogue.sync()


def test_a_run_that_ended_just_now_is_looked_at_again(home: Home) -> None:
    """Two writes within the clock's grain leave one modification time."""
    path = make_run(home, 1)
    end(path)
    with Catalogue(home) as catalogue:
        catalogue.sync()
        times = path.stat().st_mtime_ns
        append(path, metrics(10, 0.5))
        os.utime(path, ns=(times, times))
        catalogue.sync()
        assert losses(catalogue) == [0.5]


def test_a_lost_run_is_still_read(home: Home) -> None:
    """Where locks are not shared, a run of another machine looks lost and goes on."""
    path = make_run(home, 1)
    append(path, started(), metrics(10, 0.5))
    make_old(path)
    with Catalogue(home) as catalogue:
        catalogue.sync()
        append(path, metrics(20, 0.4))
        assert catalogue.sync()
        assert (catalogue.runs()[0].status, losses(catalogue)) == ("lost", [0.5, 0.4])
        assert not catalogue.sync()


def test_without_probing_known_status_stays(home: Home) -> None:
    path = make_run(home, 1)
    with Catalogue(home) as catalogue:
        with alive(path):
            catalogue.sync()
        append(path, metrics(10, 0.5))
        catalogue.sync(probe=False)
        assert (catalogue.runs()[0].status, catalogue.runs()[0].loss) == ("running", 0.5)


def test_a_sampling_run_counts_images(home: Home) -> None:
    path = make_run(home, 1, kind="sample")
    with Catalogue(home) as catalogue, alive(path):
        catalogue.sync()
        assert (catalogue.runs()[0].step, catalogue.runs()[0].total_steps) == (None, 64)
        append(path, started(0, total_steps=50))
        catalogue.sync()
        assert (catalogue.runs()[0].step, catalogue.runs()[0].total_steps) == (0, 64)
        frame = {"index": 20, "total": 100, "timestep": 400, "done": 12, "count": 64}
        append(path, event("denoising", "2026-11-23T10:00:10Z", **frame, x_t="frames/0020-xt.png", x_0=None))
        catalogue.sync()
        row = catalogue.runs()[0]
        assert (row.step, row.total_steps) == (12, 64)
        assert row.seconds_left == pytest.approx(40)
        found = catalogue.detail(1).frame
        assert found is not None
        assert (found.index, found.timestep, found.x_t) == (20, 400, f"{path}/frames/0020-xt.png")
