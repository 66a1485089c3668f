"""The ladder, and what it must never touch; with workers of a few lines."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runs import home, stopping
from runs.directory import RunDirectory
from runs.errors import RunError
from runs.home import Home
from runs.launch import launch
from runs.resuming import prepare
from runs.status import probe
from runs.supervisor import start_time
from tests.runs.processes import (
    SLEEPER,
    add_checkpoint,
    exit_json,
    kill_all,
    make,
    process,
    script,
    wait_at_work,
    wait_end,
    wait_for,
)

OBEDIENT = SLEEPER.replace("time.sleep(60)", "\nwhile not os.path.exists('stop'): time.sleep(0.01)")
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SLEEPER


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Home]:
    found = home.find(str(tmp_path / "home"))
    yield found
    kill_all(found)


def working(at: Home, code: str) -> RunDirectory:
    run = make(at)
    launch(run, script(code))
    wait_at_work(run)
    return run


def test_asking_is_enough(at: Home) -> None:
    run = working(at, OBEDIENT)
    assert stopping.stop(run) == "stopped"
    assert exit_json(run)["signal"] is None


def test_where_no_file_can_be_written_a_signal_asks_however_often(
    at: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = "import signal; asked = []; signal.signal(signal.SIGUSR1, lambda *_: asked.append(1))\n"
    run = working(
        at, counting + SLEEPER.replace("time.sleep(60)", "\nwhile len(asked) < 2: time.sleep(0.01)")
    )

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "touch", full)
    stopping.request_stop(run)
    time.sleep(0.2)
    assert probe(run.path) == "running"
    stopping.request_stop(run)
    wait_for(lambda: probe(run.path) != "running")
    assert exit_json(run)["signal"] is None


def test_where_no_file_may_be_written_that_is_told(at: Home) -> None:
    run = working(at, SLEEPER)
    (run.path / "stop").symlink_to("nowhere/stop")
    with pytest.raises(RunError, match="stop cannot be written: No such file or directory"):
        stopping.request_stop(run)


def test_after_the_patience_comes_sigterm(at: Home) -> None:
    run = working(at, SLEEPER)
    assert stopping.stop(run, patience=0.1) == "stopped"
    assert exit_json(run)["signal"] == "SIGTERM"


def test_after_sigterm_comes_sigkill(at: Home) -> None:
    run = working(at, STUBBORN)
    assert stopping.stop(run, patience=0.1, kill_after=0.2) == "stopped"
    assert exit_json(run)["signal"] == "SIGKILL"


def test_it_works_without_the_supervisor(at: Home) -> None:
    run = working(at, STUBBORN)
    os.kill(process(run, "supervisor"), signal.SIGKILL)
    assert stopping.stop(run, patience=0.1, kill_after=0.2) == "lost"


def test_the_whole_group_is_signalled(at: Home) -> None:
    """By us, while the worker itself holds out; after its end the supervisor sees to what is left."""
    forks = (
        "import os, signal, time; child = os.fork()\n"
        "if not child: time.sleep(60)\n"
        "open('child', 'w').write(str(child))\n"
    )
    run = working(at, forks + STUBBORN)
    child = int((run.path / "child").read_text())
    assert _alive(child)
    stopping.signal_worker(run.path, signal.SIGTERM)
    wait_for(lambda: not _alive(child))
    assert _alive(process(run, "worker"))
    stopping.signal_worker(run.path, signal.SIGKILL)
    wait_end(run)


def _alive(pid: int) -> bool:
    """Neither gone nor a zombie."""
    return start_time(pid) is not None and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


def test_a_run_that_does_not_run_cannot_be_stopped(at: Home) -> None:
    run = make(at)
    for attempt in (stopping.stop, stopping.request_stop):
        with pytest.raises(RunError, match=r"some run \(#1\) is not running; it is lost"):
            attempt(run)
    assert not (run.path / "stop").exists()


@pytest.mark.parametrize("field", ["start_time", "boot_id"])
def test_a_process_that_only_has_the_same_number_is_never_signalled(at: Home, field: str) -> None:
    run = working(at, STUBBORN)
    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(30)"], process_group=0
    ) as bystander:
        record = json.loads((run.path / "process.json").read_text())
        worker = record["worker"]["pid"]
        record["worker"] = {"pid": bystander.pid, "start_time": start_time(bystander.pid)}
        if field == "start_time":
            record["worker"]["start_time"] = str(int(record["worker"]["start_time"]) - 1)
        else:
            record["boot_id"] = "00000000-0000-0000-0000-000000000000"
        (run.path / "process.json").write_text(json.dumps(record))
        if field == "boot_id":
            with pytest.raises(RunError, match="of another boot or machine"):
                stopping.signal_worker(run.path, signal.SIGKILL)
        else:
            stopping.signal_worker(run.path, signal.SIGKILL)
        time.sleep(0.1)
        assert bystander.poll() is None
        bystander.kill()
    os.kill(worker, signal.SIGKILL)
    wait_end(run)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", "[" * 200_000, '{"boot_id": "x", "worker": {"pid": "no", "start_time": "1"}}']
)
def test_an_unclear_record_of_the_process_is_told(at: Home, content: str) -> None:
    run = make(at)
    (run.path / "process.json").write_text(content)
    with pytest.raises(RunError, match="does not tell the run's process"):
        stopping.signal_worker(run.path, signal.SIGKILL)


def test_numbers_that_mean_many_processes_are_never_signalled(at: Home) -> None:
    run = make(at)
    record = {"boot_id": stopping.boot_id(), "worker": {"pid": 1, "start_time": start_time(1)}}
    (run.path / "process.json").write_text(json.dumps(record))
    with pytest.raises(RunError, match="is unknown"):
        stopping.signal_worker(run.path, signal.SIGTERM)


def test_a_stop_asked_for_as_the_run_ends_is_harmless(at: Home) -> None:
    run = working(at, SLEEPER.replace("60", "0.2"))
    add_checkpoint(run, 10)
    stopping.request_stop(run)
    assert wait_end(run) in ("finished", "stopped")
    assert (run.path / "stop").exists()
    prepare(run, [])  # as resuming does
    launch(run, script(OBEDIENT))
    wait_for(lambda: run.events_path.read_text().count("started") == 2)
    time.sleep(0.2)
    assert probe(run.path) == "running"
    assert stopping.stop(run) == "stopped"
