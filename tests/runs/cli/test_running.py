"""Real runs through the command: started, followed, stopped, gone on with, sampled from, hung up on."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runs import directory
from runs.cli.main import main
from runs.home import find
from runs.status import probe
from runs.stopping import stop
from tests.runs.cli.command import argv, call, call_json, environment, tiny
from tests.runs.cli.terminal import Terminal

pytestmark = pytest.mark.slow

LONG = "training.steps=1000000"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for run in directory.all(find(str(tmp_path))):  # nothing outlives its test
        if probe(run.path) == "running":
            stop(run, patience=20)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one finished tiny training, "base", made by the command."""
    path = tmp_path_factory.mktemp("trained")
    done = call(
        path, "train", "digits", *tiny(), "--name", "base", "--tag", "[b]", "--note", "n", timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "base ✓ finished · step 20 · loss" in done.stdout
    assert str(path / "runs" / "0001-base") in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    assert "base started: " in done.stderr
    return path


def test_a_training_from_start_to_end(trained: Path) -> None:
    shown = call_json(trained, "show", "base")
    assert [shown[k] for k in ("id", "kind", "status", "preset", "step", "total_steps", "images_seen")] == [
        1, "train", "finished", "digits", 20, 20, 160,
    ]  # fmt: skip
    assert 0 < shown["loss"] < 10
    assert (shown["tags"], shown["notes"], shown["error"]) == (["[b]"], "n", None)
    assert [c["step"] for c in shown["checkpoints"]] == [10, 20]
    assert [s["step"] for s in shown["samples"]] == [20]
    assert Path(shown["samples"][0]["path"]).is_file()
    assert shown["config"]["model"]["channels"] == 8


def test_sampling_into_a_grid_and_into_a_folder(trained: Path, tmp_path: Path) -> None:
    grid, folder = tmp_path / "grid.png", tmp_path / "images"
    done = call(
        trained, "sample", "base@10", "-n", "5", "--steps", "3", "--seed", "7", "--out", str(grid), "--json"
    )
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert (shown["kind"], shown["status"], shown["parent"], shown["step"]) == ("sample", "finished", 1, 5)
    assert {k: shown["config"]["sampling"][k] for k in ("count", "steps", "seed")} == {
        "count": 5,
        "steps": 3,
        "seed": 7,
    }
    assert grid.read_bytes().startswith(b"\x89PNG")
    done = call(trained, "sample", "last", "-n", "5")
    assert done.returncode == 1
    assert "only trainings have checkpoints" in done.stderr
    done = call(
        trained,
        "sample",
        "base",
        "-n",
        "3",
        "--sampler",
        "ddpm",
        "--steps",
        "10",
        "--out",
        str(folder),
        "--show",
    )
    assert done.returncode == 0, done.stderr
    assert len(list(folder.glob("*.png"))) == 3
    assert "▀" in done.stdout


def test_what_sample_refuses(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, status, message in (
        (["base@15"], 1, "there are: 10, 20"),
        (["base@x"], 2, "write RUN@STEP"),
        (["bse"], 1, "base"),
        (
            ["base", "--sampler", "ddimm"],
            2,
            "sampling.sampler: 'ddimm' is not one of ddpm, ddim, euler, ",
        ),
        (["base", "-n", "0"], 2, "sampling.count: '0' is not a whole number, at least 1"),
        (["base", "--steps", "11"], 2, "sampling.steps: 11 is above diffusion.timesteps 10"),
        (["base", "--name", "base"], 1, "base"),
        (["base", "--device", "cuda:99"], 2, "'cuda:99' is not on this machine; there are auto, "),
    ):
        try:
            left = main(["--home", str(trained), "sample", *arguments])
        except SystemExit as leaving:
            left = int(leaving.code or 0)
        out, err = capsys.readouterr()
        assert (left, out) == (status, ""), (arguments, err)
        assert message in err
        assert len(err.splitlines()) <= 2
    assert all(row["status"] == "finished" for row in call_json(trained, "ls"))


def test_beginning_with_another_runs_weights(trained: Path, home: Path) -> None:
    done = call(
        trained, "train", "digits", *tiny("training.steps=1"), "--from", "base", "--json", timeout=120
    )
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert (shown["status"], shown["parent"]) == ("finished", 1)
    done = call(trained, "train", "digits", *tiny("model.channels=16"), "--from", "base@20")
    assert (done.returncode, done.stdout) == (1, "")
    assert "model.channels is 8 there and 16 here" in done.stderr


def test_going_on_with_a_finished_run(trained: Path) -> None:
    done = call(trained, "resume", "base")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    done = call(trained, "resume", "base", "--set", "training.steps=25", timeout=120)
    assert done.returncode == 0, done.stderr
    assert "base ✓ finished · step 25" in done.stdout
    assert call_json(trained, "show", "base")["total_steps"] == 25


def test_a_failed_run_says_why_in_one_line(home: Path) -> None:
    (home / "empty").mkdir()
    data = ("data.dataset=folder", f"data.root={home / 'empty'}", "data.image_size=8")
    done = call(home, "train", "digits", *tiny(*data), timeout=120)
    assert done.returncode == 1
    (shown,) = call_json(home, "ls")
    assert shown["status"] == "failed"
    error = call_json(home, "show", "1")["error"]
    assert str(home / "empty") in error
    assert f"ddpm-tui train: {shown['name']} failed: {error}\n" in done.stderr
    assert "Traceback" not in done.stderr


def test_detached_runs_are_waited_for_followed_and_stopped(home: Path) -> None:
    done = call(home, "train", "digits", *tiny(LONG), "--name", "long", "--detach", timeout=30)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"long started: {home / 'runs' / '0001-long'}\n"
    assert call_json(home, "ls", "--status", "running")[0]["name"] == "long"
    done = call(home, "wait", "long", "--timeout", "1s")
    assert done.returncode == 1
    assert "long is still running" in done.stderr
    done = call(home, "rm", "long")
    assert done.returncode == 1
    assert "running; stop it first" in done.stderr
    following = subprocess.Popen(
        argv(home, "logs", "long", "-f"), env=environment(), stdout=subprocess.PIPE, text=True
    )
    with (home / "runs" / "0001-long" / "log.txt").open("a") as log:
        log.write("said meanwhile\n")
    assert following.stdout is not None
    assert "said meanwhile\n" in iter(following.stdout.readline, "")
    assert following.poll() is None
    done = call(home, "stop", "long")
    assert (done.returncode, done.stdout) == (0, "long stopped\n"), done.stderr
    assert following.wait(30) == 0  # a log is followed until its run has ended


def test_a_training_waits_for_another(home: Path) -> None:
    assert call(home, "train", "digits", *tiny(LONG), "--name", "a", "--detach").returncode == 0
    queued = call(home, "train", "digits", *tiny(), "--name", "b", "--after", "a", "--detach")
    assert queued.returncode == 0
    assert "busy" not in queued.stderr
    assert "b queued, after a (#1): " in queued.stdout
    itself = call(home, "resume", "b", "--after", "b")
    assert (itself.returncode, "is running already" in itself.stderr) == (1, True)

    def row() -> dict[str, object]:
        return next(row for row in call_json(home, "ls") if row["name"] == "b")

    deadline = time.monotonic() + 30
    while row()["waits_for"] != 1:
        assert time.monotonic() < deadline
    assert row()["status"] == "running"
    listed = next(line for line in call(home, "ls").stdout.splitlines() if " b " in line)
    assert "… queued" in listed
    assert "after #1" in listed
    assert call(home, "stop", "a").returncode == 0
    assert call(home, "wait", "b", timeout=120).returncode == 0
    assert (row()["status"], row()["waits_for"], row()["step"]) == ("finished", None, 20)
    late = call(home, "resume", "a", "--after", "b", "--detach")
    assert "b (#2) has ended already; this begins at once" in late.stderr


def test_the_first_interrupt_stops_the_run_cleanly(home: Path) -> None:
    terminal = Terminal(home, "train", "digits", *tiny(LONG), "--name", "long [red]")
    try:
        terminal.until("loss ")
        terminal.until("/1000000")
        terminal.interrupt()
        terminal.until("Stopping after this step")
        assert terminal.end() == 1
    finally:
        terminal.kill()
    assert "long [red] \x1b[33m■ stopped\x1b[0m" in terminal.shown
    assert "To go on with it: ddpm-tui resume 1" in terminal.shown
    shown = call_json(home, "show", "1")
    assert shown["status"] == "stopped"
    assert shown["checkpoints"][-1]["step"] == shown["step"]


def test_a_second_interrupt_only_stops_following(home: Path) -> None:
    terminal = Terminal(home, "train", "digits", *tiny(LONG), "--name", "long")
    try:
        terminal.until("long started")
        worker = _worker(home)
        os.killpg(worker, signal.SIGSTOP)  # so that it cannot follow the request
        terminal.interrupt()
        terminal.until("Stopping after this step")
        terminal.interrupt()
        assert terminal.end() == 130
        assert "long is still running. To watch it again: ddpm-tui wait 'long'" in terminal.shown
        assert probe(home / "runs" / "0001-long") == "running"
    finally:
        terminal.kill()
        os.killpg(worker, signal.SIGCONT)
    done = call(home, "wait", "long")
    assert (done.returncode, "long ■ stopped" in done.stdout) == (1, True), done


def test_a_lost_terminal_leaves_the_run_alone(home: Path) -> None:
    terminal = Terminal(home, "train", "digits", *tiny(LONG), "--name", "long")
    try:
        terminal.until("loss ")
        assert terminal.hang_up() != 0
    finally:
        terminal.kill()
    before = call_json(home, "show", "long")["step"]
    deadline = time.monotonic() + 30
    while call_json(home, "show", "long")["step"] <= before:
        assert time.monotonic() < deadline
    assert call_json(home, "show", "long")["status"] == "running"


def test_a_terminal_gets_the_samples_as_half_cells(trained: Path) -> None:
    terminal = Terminal(trained, "sample", "base", "-n", "4", "--name", "drawn")
    assert terminal.end() == 0
    assert "drawn \x1b[32m✓ finished\x1b[0m" in terminal.shown
    assert "▀" in terminal.shown
    terminal = Terminal(trained, "wait", "drawn", NO_COLOR="1")
    assert terminal.end() == 0
    assert "drawn ✓ finished" in terminal.shown
    assert "▀" not in terminal.shown
    assert "Its samples: " in terminal.shown
    assert "\x1b[3" not in terminal.shown.replace("\x1b[39", "")


def test_a_listing_cut_short_is_silent(trained: Path) -> None:
    script = '"$@" | head -n 1; exit ${PIPESTATUS[0]}'
    done = subprocess.run(
        ["bash", "-c", script, "-", *argv(trained, "show", "base")],
        capture_output=True,
        text=True,
        env=environment(PYTHONUNBUFFERED="1"),
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "#1 base\n"


def _worker(home: Path) -> int:
    """The process group of the only run's worker."""
    return int(json.loads((home / "runs" / "0001-long" / "process.json").read_text())["worker"]["pid"])
