"""The worker as a process of its own, in what needs no training: how it ends when it cannot begin."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ddpm import events as engine_events
from runs import home, interpreter, worker
from runs.directory import RunDirectory
from runs.errors import RunError
from runs.home import Home
from tests.runs.processes import events, make


@pytest.fixture
def at(tmp_path: Path) -> Home:
    return home.find(str(tmp_path / "home"))


def work(run: RunDirectory) -> subprocess.CompletedProcess[str]:
    """The worker of a run, run to its end."""
    argv = interpreter.command("runs.worker", str(run.path))
    return subprocess.run(
        argv, cwd=run.path, env=interpreter.environment(), capture_output=True, text=True, timeout=120
    )


def last(run: RunDirectory) -> dict[str, object]:
    event = events(run)[-1]
    assert event["event"] == "ended"
    assert event["status"] == "failed"
    return event


def test_importing_it_brings_no_torch() -> None:
    code = "import sys, runs.worker, runs.launch, runs.preflight, runs.trash; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr


def test_status_and_directory_bring_not_even_pydantic() -> None:
    code = (
        "import sys, runs.home, runs.directory, runs.status, runs.stopping, runs.trash, runs.editing\n"
        "print([m for m in ('pydantic', 'sqlalchemy', 'numpy', 'rich', 'psutil') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_a_broken_configuration_is_one_line_in_record_and_log(at: Home) -> None:
    run = make(at)
    (run.path / "config.toml").write_text("[training]\nsteps = -1\nseed = -2\n")
    done = work(run)
    assert done.returncode == 1
    message = last(run)["message"]
    assert isinstance(message, str)
    assert "training.steps: '-1' is not a whole number, at least 1" in message
    assert done.stderr == message + "\n"


def test_a_kind_of_the_future_is_told(at: Home) -> None:
    run = make(at)
    run.edit(kind="dream")
    assert work(run).returncode == 1
    assert last(run)["message"] == "run.json: this version knows no runs of kind 'dream'"


def test_a_mistake_of_ours_leaves_its_traceback_in_the_log(at: Home) -> None:
    run = make(at)
    code = (
        "import sys, ddpm.training; from runs import worker\n"
        "del ddpm.training.Training; sys.exit(worker.main(sys.argv[1:]))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(run.path)], capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback (most recent call last)" in done.stderr
    message = str(last(run)["message"])
    assert message.startswith("ImportError: ")
    assert done.stderr.splitlines()[-1] == message


def test_a_torn_last_line_is_closed_before_anything_is_written(at: Home) -> None:
    run = make(at)
    run.events_path.write_bytes(b'{"event":"metrics","st')
    run.edit(kind="dream")
    work(run)
    lines = run.events_path.read_bytes().split(b"\n")
    assert lines[0] == b'{"event":"metrics","st'
    assert lines[1].startswith(b'{"event":"ended"')


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            OSError(28, "No space left on device", "/x/a"),
            "disk full (/x/a): No space left on device; free some and resume",
        ),
        (OSError(122, "Disk quota exceeded"), "disk full: Disk quota exceeded; free some and resume"),
        (
            PermissionError(13, "Permission denied", "/x"),
            "PermissionError: [Errno 13] Permission denied: '/x'",
        ),
        (MemoryError(), "out of memory: try a smaller batch_size"),
        (RunError("one clear line"), "one clear line"),
        (KeyError("two\nlines"), r"KeyError: 'two\nlines'"),
        (ValueError("two\n\n  lines " + "x" * 1000), "ValueError: two lines " + "x" * 478),
    ],
)
def test_errors_become_one_line(error: Exception, message: str) -> None:
    assert worker._message(error) == message


class Obedient:
    """The least that the protocol asks of an engine."""

    stopped = False

    def __iter__(self) -> object:
        raise NotImplementedError

    def stop(self) -> None:
        self.stopped = True


def test_a_stop_asked_for_before_the_engine_stands_reaches_it(at: Home) -> None:
    run = make(at)
    requests, engine = worker.StopRequests(run.path), Obedient()
    requests._ask()
    requests.connect(engine)  # type: ignore[arg-type]
    assert engine.stopped


def test_signals(at: Home) -> None:
    """The first asks, and says so to all by the file; the second ends the process; SIGHUP does nothing."""
    run = make(at)
    code = (
        "import signal, sys, time; from pathlib import Path; from runs.worker import StopRequests\n"
        "r = StopRequests(Path(sys.argv[1])); r.listen(); print('ready', flush=True)\n"
        "while not r.asked: time.sleep(0.01)\n"
        "print('asked', flush=True); time.sleep(30)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(run.path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "asked\n"
        assert (run.path / "stop").exists()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == -signal.SIGINT


def test_the_record_of_a_failure_tells_how_far_it_came(at: Home) -> None:
    run = make(at)
    recorder = worker.Recorder(run)
    recorder.record(engine_events.Metrics(7, 56, float("nan"), 1e-4, 1.0, 10.0))
    recorder.record(engine_events.Notice("by the way"))
    recorder.failed("why")
    assert events(run)[0]["loss"] is None
    assert {**last(run), "time": ""} == {
        "event": "ended",
        "time": "",
        "status": "failed",
        "step": 7,
        "images_seen": 56,
        "message": "why",
    }
    assert str(last(run)["time"]).endswith("Z")


def test_a_failure_before_the_start_does_not_say_how_far_it_came(at: Home) -> None:
    """A run that is resumed in vain stays where it was."""
    run = make(at)
    run.append_event(engine_events.to_record(engine_events.Metrics(7, 56, 0.5, 1e-4, 1.0, 10.0), ""))
    worker.Recorder(run).failed("no torch")
    assert (last(run)["step"], last(run)["images_seen"]) == (None, None)


@pytest.mark.parametrize("out", ["grid.png", "new/grid.png", "images", "new/images"])
def test_samples_are_handed_over(at: Home, tmp_path: Path, out: str) -> None:
    run = make(at, "s", kind="sample", out=tmp_path / "out" / out)
    for name in ("images/000000.png", "images/000001.png", "samples/grid.png"):
        (run.path / name).parent.mkdir(exist_ok=True)
        (run.path / name).write_bytes(name.encode())
    target = tmp_path / "out" / out
    (tmp_path / "out").mkdir()
    if out == "images":
        target.mkdir()
        (target / "mine.png").write_bytes(b"mine")
    worker._hand_over(run)
    if out.endswith(".png"):
        assert target.read_bytes() == b"samples/grid.png"
    else:
        assert (target / "000001.png").read_bytes() == b"images/000001.png"
        assert not (target / "grid.png").exists()
        assert out != "images" or (target / "mine.png").read_bytes() == b"mine"
    assert not list((tmp_path / "out").rglob(".*"))


def test_samples_that_cannot_be_handed_over_are_still_there(at: Home, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    run = make(at, "s", kind="sample", out=tmp_path / "file" / "images")
    with pytest.raises(RunError, match=r"could not be written: .*; the images are in .*/images"):
        worker._hand_over(run)


def test_children_of_the_worker_do_not_keep_the_lock(at: Home) -> None:
    run = make(at)
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    code = (
        "import os, sys; from runs import worker\n"
        "worker.main(sys.argv[1:]); print(os.get_inheritable(int(sys.argv[2])))"
    )
    run.edit(kind="dream")
    done = subprocess.run(
        [sys.executable, "-c", code, str(run.path), str(writer)],
        pass_fds=(writer,),
        capture_output=True,
        text=True,
    )
    os.close(reader)
    os.close(writer)
    assert done.stdout == "False\n", done.stderr
