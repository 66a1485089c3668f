from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import pytest

from runs import home
from runs.directory import RunDirectory, take_lock
from runs.status import last_event, probe, running
from tests.runs.processes import make


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return make(home.find(str(tmp_path)))


def test_never_launched_is_lost(run: RunDirectory) -> None:
    (run.path / "run.lock").unlink()
    assert probe(run.path) == "lost"


def test_held_lock_is_running_whatever_else_is_there(run: RunDirectory) -> None:
    (run.path / "exit.json").write_text('{"status": "failed"}')
    lock = take_lock(run.path)
    assert probe(run.path) == "running"
    os.close(lock)
    assert probe(run.path) == "failed"


def test_probes_do_not_disturb_each_other(run: RunDirectory) -> None:
    with (run.path / "run.lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        assert not running(run.path)


@pytest.mark.parametrize("status", ["finished", "stopped", "failed"])
def test_exit_json_tells_the_end(run: RunDirectory, status: str) -> None:
    run.append_event({"event": "ended", "status": "finished"})
    (run.path / "exit.json").write_text(f'{{"status": "{status}"}}')
    assert probe(run.path) == status


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"status": "dancing"}', '{"status": null}', '{"status": []}']
)
def test_without_a_usable_exit_json_the_record_tells(run: RunDirectory, content: str) -> None:
    (run.path / "exit.json").write_text(content)
    run.append_event({"event": "metrics"})
    assert probe(run.path) == "lost"
    run.append_event({"event": "ended", "status": "stopped"})
    assert probe(run.path) == "stopped"


def test_an_end_followed_by_more_work_is_no_end(run: RunDirectory) -> None:
    run.append_event({"event": "ended", "status": "finished"})
    run.append_event({"event": "started"})
    assert probe(run.path) == "lost"


def test_last_event_passes_over_torn_and_foreign_lines(run: RunDirectory) -> None:
    run.append_event({"event": "ended", "status": "finished"})
    with run.events_path.open("ab") as file:
        file.write(b'[1]\n"x"\n\xff\xfe\n\n{"event":"sta')
    assert last_event(run.events_path) == {"event": "ended", "status": "finished"}
    assert last_event(run.events_path, beyond=run.events_path.stat().st_size - 5) is None
    assert last_event(run.path / "none") is None


def test_probing_many_runs_is_cheap_however_long_their_records(run: RunDirectory) -> None:
    line = b'{"event":"metrics","step":1,"loss":0.1}\n'
    run.events_path.write_bytes(line * 200_000 + b'{"event":"ended","status":"finished"}\n')
    begin = time.perf_counter()
    for _ in range(1000):
        assert probe(run.path) == "finished"
    assert time.perf_counter() - begin < 2.0  # measured: 0.15 s


def test_files_of_nothing_but_brackets_are_no_end(tmp_path: Path) -> None:
    (tmp_path / "exit.json").write_text("[" * 100_000)
    (tmp_path / "events.jsonl").write_text("[" * 50_000 + "\n")
    assert probe(tmp_path) == "lost"
