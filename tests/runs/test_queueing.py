"""Runs that wait for others: real workers, and one that only holds the place before them."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from runs import home, queueing
from runs.catalogue import Catalogue
from runs.directory import RunDirectory, take_lock
from runs.errors import RunError
from runs.home import Home
from runs.launch import launch, resume
from runs.rows import RunQuery, RunRow
from runs.status import probe
from runs.stopping import stop
from runs.supervisor import start_time
from tests.runs.processes import (
    SLEEPER,
    events,
    kill_all,
    make,
    process,
    script,
    wait_at_work,
    wait_end,
    wait_for,
)


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Home]:
    found = home.find(str(tmp_path / "home"))
    yield found
    kill_all(found)


@pytest.fixture
def first(at: Home) -> RunDirectory:
    """A run that is at work for a minute."""
    run = make(at, "first")
    launch(run, script(SLEEPER))
    wait_at_work(run)
    return run


def queued(at: Home, first: RunDirectory, name: str = "second") -> RunDirectory:
    run = make(at, name, after=first.path)
    launch(run)
    wait_at_work(run, "waiting")
    return run


def row(at: Home, run: RunDirectory) -> RunRow:
    with Catalogue(at) as catalogue:
        catalogue.sync()
        return catalogue.at(run.path)


def happened(run: RunDirectory) -> list[str]:
    return [event["event"] for event in events(run)]


def test_a_run_begins_when_the_one_before_it_has_ended_however_it_did(at: Home, first: RunDirectory) -> None:
    second = queued(at, first)
    assert (row(at, second).status, row(at, second).state, row(at, second).waits_for) == (
        "running",
        "queued",
        first.id,
    )
    assert happened(second) == ["waiting"]
    worker = start_time(process(second, "worker"))
    os.kill(process(first, "worker"), signal.SIGKILL)
    wait_at_work(second)
    assert [event.get("run") for event in events(second)[:2]] == [first.id, None]
    assert second.info["after"] is None
    assert start_time(process(second, "worker")) == worker  # the same process

    assert wait_end(second) == "finished"
    assert (row(at, second).state, row(at, second).waits_for, row(at, second).step) == ("finished", None, 20)


def test_a_run_that_waits_is_stopped_at_once_and_goes_on_without_waiting(
    at: Home, first: RunDirectory
) -> None:
    second = queued(at, first)
    assert stop(second, patience=10) == "stopped"
    assert happened(second) == ["waiting", "ended"]
    assert (row(at, second).state, row(at, second).step) == ("stopped", None)
    assert (second.path / "log.txt").read_text().endswith("stopped before it began\n")
    resume(second)
    assert wait_end(second) == "finished"
    assert probe(first.path) == "running"


def test_a_run_that_is_resumed_can_wait_as_well(at: Home, first: RunDirectory) -> None:
    second = queued(at, first)
    stop(second, patience=10)
    resume(second, after=first)
    wait_for(lambda: happened(second) == ["waiting", "ended", "waiting"])
    assert row(at, second).state == "queued"


def test_a_killed_one_that_waited_can_be_resumed(at: Home, first: RunDirectory) -> None:
    second = queued(at, first)
    for who in ("supervisor", "worker"):
        os.kill(process(second, who), signal.SIGKILL)
    assert wait_end(second) == "lost"
    assert (row(at, second).state, row(at, second).waits_for) == ("lost", None)
    resume(second)
    assert wait_end(second) == "finished"


def test_what_is_gone_or_has_ended_is_not_waited_for(at: Home) -> None:
    first = make(at, "first")
    second = make(at, "second", after=first.path)
    assert queueing.awaited(second) is None
    lock = take_lock(first.path)
    assert queueing.awaited(second) == first
    os.close(lock)
    shutil.rmtree(first.path)
    assert queueing.wait(second, lambda: False, print)
    assert events(second) == []


def test_no_two_runs_wait_for_each_other(at: Home) -> None:
    first = make(at, "first")
    second = make(at, "second", after=first.path)
    third = make(at, "third", after=second.path)
    locks = [take_lock(run.path) for run in (first, second, third)]
    queueing.check(third, first)
    with pytest.raises(RunError, match=r"first \(#1\) cannot wait for itself"):
        queueing.check(first, first)
    for later in (second, third):
        with pytest.raises(RunError, match=r"first \(#1\) cannot wait for \w+, which waits for it"):
            queueing.check(first, later)
    assert queueing.waiting_for(at, second) == [third]
    second.edit(after=None)  # its turn has come
    queueing.check(first, third)
    for lock in locks:
        os.close(lock)


def test_who_leaves_the_line_lets_nobody_jump_it(at: Home, first: RunDirectory) -> None:
    second = queued(at, first)
    third = queued(at, second, "third")
    assert row(at, third).waits_for == second.id
    stop(second, patience=10)
    wait_for(lambda: row(at, third).waits_for == first.id)
    shutil.rmtree(second.path)
    assert queueing.awaited(third) == first
    assert happened(third) == ["waiting", "waiting"]
    assert "waits for first (#1) to end" in (third.path / "log.txt").read_text()


def test_what_waits_is_found_as_queued_and_tells_nothing_of_an_earlier_start(
    at: Home, first: RunDirectory
) -> None:
    second = make(at, "second")
    for event in (
        {"event": "started", "step": 0, "images_seen": 0, "total_steps": 20, "time": "2026-11-29T10:00:00Z"},
        {"event": "metrics", "step": 10, "images_seen": 80, "loss": 0.5, "time": "2026-11-29T10:01:00Z"},
        {"event": "evaluating", "stage": "samples", "done": 3, "total": 10, "seconds": 1.0},
    ):
        second.append_event(event)
    second.edit(after=first.path.name)
    launch(second)
    wait_for(lambda: happened(second)[-1] == "waiting")
    found = row(at, second)
    assert (found.state, found.seconds_left, found.preparing) == ("queued", None, None)
    with Catalogue(at) as catalogue:
        assert catalogue.detail(second.id).evaluating is None
        assert [run.name for run in catalogue.runs(RunQuery(text="queued"))] == ["second"]
        assert [run.name for run in catalogue.runs(RunQuery(text="running"))] == ["first"]


@pytest.mark.parametrize("after", ["/etc", "../first", "..", "", ".lock", "a\0b", 7, ["0001-first"]])
def test_only_a_run_beside_it_is_waited_for(at: Home, after: object) -> None:
    run = make(at)
    info = json.loads((run.path / "run.json").read_text())
    (run.path / "run.json").write_text(json.dumps(info | {"after": after}))
    assert run.info["after"] is None
    assert queueing.awaited(run) is None
