"""Real trainings in real processes, and the bad luck that meets them: hang-up, kill -9, a full disk."""

from __future__ import annotations

import json
import os
import pty
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ddpm import checkpoint
from ddpm.config import SamplingConfig
from ddpm.images import read_png_text
from runs import home, launch, stopping
from runs.directory import RunDirectory
from runs.errors import RunError
from runs.home import Home
from runs.status import probe
from tests.runs.processes import (
    ENDLESS,
    events,
    exit_json,
    kill_all,
    process,
    tiny,
    wait_at_work,
    wait_end,
    wait_for,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    # Several small trainings on few cores: threads that wait for each other would cost most of the time.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    found = home.find(str(tmp_path / "home"))
    yield found
    kill_all(found)


def weights(run: RunDirectory, step: int) -> list[bytes]:
    """Network, average and optimiser at a step."""
    return [p.read_bytes() for p in sorted(checkpoint.folder(run.path, step).glob("*.safetensors"))]


def seen(run: RunDirectory) -> int:
    """Steps of which the record tells."""
    return max((e["step"] for e in events(run) if e["event"] == "metrics"), default=0)


def test_train_extend_and_sample(at: Home, tmp_path: Path) -> None:
    """The life of a run. Its weights are, byte for byte, those of one that was never interrupted."""
    run = launch.new_training(at, tiny(), device="cpu", preset="digits", command=["ddpm-tui", "train"])
    assert (run.name, probe(run.path)) == ("digits-1", "running")
    assert wait_end(run) == "finished"
    assert checkpoint.steps(run.path) == [10, 20]
    with pytest.raises(RunError, match="already at step 20 of 20"):
        launch.resume(run)

    launch.resume(run, ["training.steps=40"])
    whole = launch.new_training(at, tiny("training.steps=40"), device="cpu", preset="digits")
    assert wait_end(run) == wait_end(whole) == "finished"
    assert [e["step"] for e in events(run) if e["event"] == "started"] == [0, 20]
    assert weights(run, 40) == weights(whole, 40) != weights(run, 30)

    grid = tmp_path / "out" / "grid.png"
    samples = launch.new_sampling(at, run, None, SamplingConfig(count=4, steps=4), device="cpu", out=grid)
    assert wait_end(samples) == "finished", samples.log_path.read_text()
    assert grid.read_bytes() == (samples.path / "samples" / "grid.png").read_bytes()
    assert len(list((samples.path / "images").iterdir())) == 4
    assert (
        json.loads(read_png_text(grid)["Settings"])["checkpoint"] == f"{run.path.name}/checkpoints/00000040"
    )

    child = launch.new_training(at, tiny("training.steps=1"), device="cpu", start=(run, 40))
    assert child.info["parent"] == {"uuid": run.uuid, "id": 1, "name": "digits-1", "step": 40}
    assert wait_end(child) == "finished", child.log_path.read_text()


#: Starts a training from a terminal of its own and stays there, as a person would.
FROM_A_TERMINAL = """
import sys, time
from runs import home, launch
from tests.runs.processes import ENDLESS, tiny
launch.new_training(home.find(sys.argv[1]), tiny(ENDLESS), name="hung up", device="cpu")
print("launched", flush=True)
time.sleep(60)
"""


def test_a_hang_up_does_not_touch_a_run_and_sigterm_ends_it_cleanly(at: Home) -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-c", FROM_A_TERMINAL, str(at.path)])
    text = b""
    while b"launched" not in text:
        text += os.read(terminal, 1000)
    os.close(terminal)  # the connection drops: the kernel sends SIGHUP to all of this terminal's session
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGHUP
    run = RunDirectory(next(at.runs.iterdir()))
    wait_at_work(run, "checkpoint_written")
    before = seen(run)
    wait_for(lambda: seen(run) > before)
    os.kill(process(run, "worker"), signal.SIGTERM)
    assert wait_end(run) == "stopped"
    assert events(run)[-1]["status"] == "stopped"
    assert checkpoint.steps(run.path)[-1] == events(run)[-1]["step"]


#: Resumes and says how that went.
RESUME = """
import sys
from pathlib import Path
from runs import launch
from runs.directory import RunDirectory
from runs.errors import RunError
try:
    launch.resume(RunDirectory(Path(sys.argv[1])))
    print("won")
except RunError as error:
    print(error)
"""


def test_kill_9_of_the_worker_then_two_resumes_at_once_then_kill_9_of_the_supervisor(at: Home) -> None:
    run = launch.new_training(at, tiny(ENDLESS), name="r", device="cpu")
    wait_at_work(run, "checkpoint_written")
    os.kill(process(run, "worker"), signal.SIGKILL)
    assert wait_end(run) == "failed"
    assert (exit_json(run)["signal"], exit_json(run)["message"]) == ("SIGKILL", "ended by SIGKILL")
    kept = checkpoint.steps(run.path)[-1]

    argv = [sys.executable, "-c", RESUME, str(run.path)]
    both = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert sorted(p.communicate()[0] for p in both) == ["r (#1) is running already\n", "won\n"]
    wait_for(lambda: [e["step"] for e in events(run) if e["event"] == "started"] == [0, kept], 60)

    os.kill(process(run, "supervisor"), signal.SIGKILL)
    before = seen(run)
    wait_for(lambda: seen(run) > before)
    assert probe(run.path) == "running"
    with pytest.raises(RunError, match="running already"):
        launch.resume(run)
    assert stopping.stop(run) == "stopped"
    assert not (run.path / "exit.json").exists()
    assert (run.path / "exit.1.json").exists()


def test_a_machine_that_dies_loses_no_more_than_the_steps_since_the_last_checkpoint(at: Home) -> None:
    run = launch.new_training(at, tiny(ENDLESS), name="r", device="cpu")
    wait_for(lambda: len(checkpoint.steps(run.path)) > 1, 60)
    for who in ("supervisor", "worker"):
        os.kill(process(run, who), signal.SIGKILL)
    assert wait_end(run) == "lost"
    with run.events_path.open("ab") as file:
        file.write(b'{"event":"metrics","step":99999,"lo')
    kept = checkpoint.steps(run.path)
    (checkpoint.folder(run.path, kept[-1]) / "ema.safetensors").write_bytes(b"cut short")
    launch.resume(run, [f"training.steps={kept[-1] + 1}"])
    assert wait_end(run) == "finished"
    lines = run.events_path.read_bytes().splitlines()
    torn = next(n for n, line in enumerate(lines) if line.endswith(b'"lo'))
    again = [line for line in lines[torn + 1 :] if b'"event":"started"' in line]
    assert f'"step":{kept[-2]},'.encode() in again[0]
    assert checkpoint.steps(run.path)[-1] == kept[-1] + 1


def test_a_full_disk_while_a_checkpoint_is_written(at: Home) -> None:
    """A limit on the size of the worker's files, set in mid-run, stands for the disk that fills up."""
    run = launch.new_training(at, tiny(ENDLESS, "training.keep_checkpoints=100"), name="r", device="cpu")
    wait_at_work(run, "checkpoint_written")
    resource.prlimit(process(run, "worker"), resource.RLIMIT_FSIZE, (100_000, 100_000))
    assert wait_end(run) == "failed"
    message = exit_json(run)["message"]
    assert message.startswith("disk full: ")
    assert "\n" not in message
    ended = events(run)[-1]
    assert (ended["event"], ended["status"], ended["message"]) == ("ended", "failed", message)
    assert run.log_path.read_text().splitlines()[-1] == message
    assert "Traceback" not in run.log_path.read_text()
    written = [e["step"] for e in events(run) if e["event"] == "checkpoint_written"]
    assert checkpoint.steps(run.path) == written != []
    assert sorted(p.name for p in (run.path / "checkpoints").iterdir()) == [f"{s:08d}" for s in written]


def test_a_full_disk_while_an_event_is_written(at: Home) -> None:
    """The record itself does not fit: then the log's last line tells, and exit.json takes it from there."""
    run = launch.new_training(at, tiny(ENDLESS), name="r", device="cpu")
    wait_at_work(run, "metrics")
    limit = run.events_path.stat().st_size
    resource.prlimit(process(run, "worker"), resource.RLIMIT_FSIZE, (limit, limit))
    assert wait_end(run) == "failed"
    assert exit_json(run)["message"].startswith("disk full")
    assert exit_json(run)["code"] == 1


def test_missing_data_are_told_in_one_line(at: Home, tmp_path: Path) -> None:
    settings = ("data.dataset=folder", f"data.root={tmp_path / 'gone'}", "data.image_size=8")
    run = launch.new_training(at, tiny(*settings), name="r", device="cpu")
    assert wait_end(run) == "failed"
    message = exit_json(run)["message"]
    assert str(tmp_path / "gone") in message
    assert run.log_path.read_text() == message + "\n"
