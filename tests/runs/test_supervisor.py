"""The supervisor with real workers of a few lines."""

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

from runs import home, supervisor
from runs.directory import RunDirectory, take_lock
from runs.home import Home
from runs.launch import launch
from runs.status import probe
from runs.supervisor import BALLAST, boot_id, oom_kills, start_time
from tests.runs.processes import (
    SLEEPER,
    exit_json,
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


def ended(at: Home, code: str) -> RunDirectory:
    """A run whose worker did this, and is gone."""
    run = make(at)
    launch(run, script(code))
    wait_end(run)
    return run


def test_it_is_small_and_needs_nothing_but_the_standard_library() -> None:
    code = f"import sys; sys.argv = ['x']; exec(open({supervisor.__file__!r}).read().split('if __name__')[0])"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"{code}\nprint(sorted(sys.modules))"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "'runs'" not in done.stdout
    assert "'site'" not in done.stdout


def test_success(at: Home) -> None:
    run = ended(at, "print('done')")
    end = exit_json(run)
    assert probe(run.path) == "finished"
    assert (end["status"], end["code"], end["signal"], end["message"]) == ("finished", 0, None, None)
    assert end["out_of_memory"] is False
    assert end["started_at"] <= end["ended_at"]
    assert end["ended_at"].endswith("Z")
    assert run.log_path.read_text() == "done\n"
    assert not (run.path / BALLAST).exists()
    assert not list(run.path.glob(".*.tmp"))


def test_success_takes_the_workers_word(at: Home) -> None:
    run = ended(at, """open("events.jsonl", "a").write('{"event":"ended","status":"stopped"}\\n')""")
    assert exit_json(run)["status"] == "stopped"


def test_failure_takes_the_workers_last_event(at: Home) -> None:
    line = '{"event":"ended","status":"failed","message":"why"}\\n'
    run = ended(at, f"open('events.jsonl', 'a').write('{line}'); raise SystemExit(1)")
    end = exit_json(run)
    assert (end["status"], end["code"], end["message"]) == ("failed", 1, "why")


def test_failure_without_a_word_takes_the_logs_last_line(at: Home) -> None:
    log = r"noise\n 10%\r 20%\rtorn\x1b[0m apart\n\n  \n"
    run = ended(at, f"import sys; sys.stderr.write('{log}'); raise SystemExit(3)")
    assert exit_json(run)["message"] == "torn\x1b[0m apart"
    assert exit_json(run)["code"] == 3


def test_an_earlier_end_is_not_taken_for_this_one(at: Home) -> None:
    run = make(at)
    run.append_event({"event": "ended", "status": "failed", "message": "long ago"})
    run.log_path.write_text("also long ago\n")
    launch(run, script("raise SystemExit(7)"))
    wait_end(run)
    assert exit_json(run)["message"] == "exit code 7"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_signal_is_named(at: Home, number: signal.Signals) -> None:
    run = ended(at, f"import os; os.kill(os.getpid(), {int(number)})")
    end = exit_json(run)
    assert (end["status"], end["code"], end["signal"]) == ("failed", None, number.name)
    assert end["message"] == f"ended by {number.name}"
    assert end["out_of_memory"] is False


def test_a_signal_after_a_stop_was_asked_for_is_a_stop(at: Home) -> None:
    run = ended(at, "import os; open('stop', 'w'); os.kill(os.getpid(), 9)")
    assert (exit_json(run)["status"], exit_json(run)["signal"]) == ("stopped", "SIGKILL")


def test_lack_of_memory_is_told_apart(tmp_path: Path) -> None:
    """A stand-in for the kernel's count, as tests may not exhaust the machine; -9 is the real code."""
    end = supervisor._ending(tmp_path, -9, 0, 0, kills=1)
    assert end["out_of_memory"] is True
    assert end["status"] == "failed"
    assert "out of memory" in end["message"]
    assert supervisor._ending(tmp_path, -15, 0, 0, kills=1)["out_of_memory"] is False


def test_oom_kills_are_read_from_both_versions_of_control_groups(tmp_path: Path) -> None:
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    assert oom_kills(proc, groups) == 0
    (proc / "vmstat").write_text("nr_free_pages 5\noom_kill 2\n")
    assert oom_kills(proc, groups) == 2
    (proc / "self/cgroup").write_text("4:memory:/job\n0::/\n")
    (groups / "memory/job").mkdir(parents=True)
    (groups / "memory/job/memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n")
    assert oom_kills(proc, groups) == 3
    (proc / "self/cgroup").write_text("0::/user.slice/session-1.scope\n")
    (groups / "user.slice/session-1.scope").mkdir(parents=True)
    (groups / "user.slice/session-1.scope/memory.events").write_text("low 0\noom 9\noom_kill 4\n")
    assert oom_kills(proc, groups) == 4


def test_the_signals_that_end_programs_do_not_end_it(at: Home) -> None:
    run = make(at)
    launch(run, script(SLEEPER))
    wait_at_work(run)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        os.kill(process(run, "supervisor"), number)
    time.sleep(0.1)
    os.kill(process(run, "worker"), signal.SIGTERM)  # which the worker must not have inherited as ignored
    assert wait_end(run) == "failed"
    assert exit_json(run)["signal"] == "SIGTERM"


def test_process_json_tells_both_processes_and_their_command_lines_the_run(at: Home) -> None:
    run = make(at)
    launch(run, script(SLEEPER, run.path))
    record = json.loads((run.path / "process.json").read_text())
    assert record["boot_id"] == boot_id() != ""
    for who in ("supervisor", "worker"):
        pid = record[who]["pid"]
        assert record[who]["start_time"] == start_time(pid)
        assert str(run.path) in Path(f"/proc/{pid}/cmdline").read_text()
    assert os.getpgid(record["worker"]["pid"]) == record["worker"]["pid"]
    assert os.getsid(record["worker"]["pid"]) == record["supervisor"]["pid"] != os.getsid(0)


def test_supervisor_killed_leaves_a_running_run_whose_word_still_counts(at: Home) -> None:
    run = make(at)
    code = SLEEPER.replace(
        "time.sleep(60)",
        """
while not os.path.exists("stop"): time.sleep(0.01)
open("events.jsonl", "a").write('{"event":"ended","status":"stopped"}\\n')
""",
    )
    launch(run, script(code))
    wait_at_work(run)
    os.kill(process(run, "supervisor"), signal.SIGKILL)
    time.sleep(0.1)
    assert probe(run.path) == "running"
    (run.path / "stop").touch()
    assert wait_end(run) == "stopped"
    assert not (run.path / "exit.json").exists()


def test_both_killed_is_lost(at: Home) -> None:
    run = make(at)
    launch(run, script(SLEEPER))
    wait_at_work(run)
    for who in ("supervisor", "worker"):
        os.kill(process(run, who), signal.SIGKILL)
    assert wait_end(run) == "lost"


def test_what_a_worker_leaves_behind_goes_with_it(at: Home) -> None:
    code = """
import os, time
child = os.fork()
if child == 0:
    time.sleep(60)
open("child", "w").write(str(child)); os._exit(1)
"""
    run = ended(at, code)
    child = int((run.path / "child").read_text())
    wait_for(lambda: start_time(child) is None or "Z" in Path(f"/proc/{child}/stat").read_text().split()[2])


def test_a_worker_that_cannot_be_started_is_told(at: Home) -> None:
    run = make(at)
    with pytest.raises(Exception, match="No such file or directory"):
        launch(run, [str(at.path / "no-such-python")])
    assert probe(run.path) == "lost"
    assert "the worker could not be started" in run.log_path.read_text()


def test_exit_json_is_tried_again_until_it_can_be_written(tmp_path: Path) -> None:
    """A directory in its way stands for the full disk that someone clears."""
    run = make(home.find(str(tmp_path)))
    (run.path / "exit.json").mkdir()
    lock = take_lock(run.path)
    argv = [
        sys.executable,
        "-I",
        "-S",
        supervisor.__file__,
        str(run.path),
        str(lock),
        "--",
        *script("raise SystemExit(0)"),
    ]
    with subprocess.Popen(argv, pass_fds=(lock,), cwd=run.path) as started:
        os.close(lock)
        time.sleep(0.4)
        assert started.poll() is None
        (run.path / "exit.json").rmdir()
        assert started.wait(5) == 0
    assert exit_json(run)["status"] == "finished"


def test_it_says_by_its_exit_status_why_it_could_not_start(tmp_path: Path) -> None:
    argv = [sys.executable, "-I", "-S", supervisor.__file__, str(tmp_path / "gone"), "2", "--", "true"]
    assert subprocess.run(argv, capture_output=True).returncode == errno.ENOENT


def test_atomic_writes_leave_the_old_text_where_they_fail(tmp_path: Path) -> None:
    path = tmp_path / "file"
    supervisor.write_atomic(path, "old")
    with pytest.raises(UnicodeEncodeError):
        supervisor.write_atomic(path, "new \udcff")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
