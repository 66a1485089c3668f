"""The verb restore: what it refuses before anything is made, and real restorations from start to end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from runs import directory
from runs.cli.main import main
from runs.home import find
from tests.runs.cli.command import call, record, with_training
from tests.runs.processes import add_checkpoint, wait_end, wait_for

REFUSED = [
    (["none", "digits:train"], 1, "there is no run 'none'"),
    (["base"], 2, "missing: INPUT"),
    (["base", "nowhere"], 1, "nowhere does not exist"),
    (["base", "digits:test"], 1, "digits has no such split; there is digits:train"),
    (["base", "digits:train", "--task", "denoize"], 2, "did you mean denoise?"),
    (["base", "digits:train", "--sigma", "2"], 2, "restoration.sigma: '2' is not a number, at least 0"),
    (["base", "digits:train", "--task", "colorize"], 2, "this one knows grey"),
    (["base", "digits:train", "--task", "compressed-sensing"], 2, "add --degrade"),
    (["base", "digits:train", "--task", "inpaint", "--mask", "/no.png"], 2, "/no.png does not exist"),
    (["base", "digits:train", "--scale", "3"], 2, "restoration.scale: '3' is not one of 2, 4"),
    (["base", "digits:train", "--scale", "4"], 2, "it is for super-resolution, and the task is denoise"),
    (["base", "digits:train", "--seed", "9" * 20], 2, "is not a whole number, at least 0, below 2^63"),
    (["base", "digits:train", "--out", "/dev/null"], 1, "/dev/null is a file, not a folder"),
    (["drawn", "digits:train"], 1, "drawn (#2) is a sample run: only trainings have checkpoints"),
]


@pytest.mark.parametrize(("arguments", "status", "message"), REFUSED, ids=[" ".join(a) for a, *_ in REFUSED])
def test_what_restore_refuses(
    arguments: list[str], status: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = find(str(tmp_path))
    add_checkpoint(record(home, "base"), 10)
    record(home, "drawn").edit(kind="sample")
    try:
        left = main(["--home", str(tmp_path), "restore", *arguments])
    except SystemExit as leaving:
        left = int(leaving.code or 0)
    out, err = capsys.readouterr()
    assert (left, out) == (status, ""), err
    assert message in err.splitlines()[0]
    assert len(err.splitlines()) <= 2
    assert len(directory.all(home)) == 2


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_training(tmp_path_factory.mktemp("home"))


def noisy(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True)
    numbers = np.random.default_rng(0)
    for i in range(count):
        Image.fromarray(numbers.integers(0, 256, (8, 8), dtype=np.uint8)).save(folder / f"{i}.png")
    return folder


def test_a_folder_with_a_broken_image_in_it(home: Path, tmp_path: Path) -> None:
    folder = noisy(tmp_path / "in", 3)
    (folder / "broken\n.png").write_text("nothing")
    out = tmp_path / "out"
    done = call(
        home, "restore", "base", str(folder), "--steps", "3", "--out", str(out), "--json", timeout=120
    )
    assert done.returncode == 1
    assert "broken" in done.stderr
    assert "failed        1" in call(home, "show", "last").stdout
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [("output" in line, "error" in line) for line in found].count((True, False)) == 3
    assert sorted(p.name for p in out.iterdir()) == ["0.png", "1.png", "2.png"]
    assert all(line["sigma"] > 0 for line in found if "output" in line)


def test_clean_images_of_a_data_set_tell_their_quality(home: Path) -> None:
    arguments = ("digits:train", "-n", "4", "--degrade", "--task", "super-resolution", "--steps", "3")
    done = call(home, "restore", "base", *arguments, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "images 4" in done.stdout
    assert "PSNR" in done.stdout
    shown = call(home, "show", "last")
    assert "restore of run 1@" in shown.stdout
    assert "images        4" in shown.stdout
    again = call(home, "resume", "last")
    assert (again.returncode, "nothing is left to do" in again.stderr) == (1, True)


def test_a_killed_restoration_goes_on_by_resume(home: Path, tmp_path: Path) -> None:
    folder = noisy(tmp_path / "in", 12)
    given = ("--steps", "10", "--batch-size", "1", "--seed", "3")
    whole = call(home, "restore", "base", str(folder), *given, "--out", str(tmp_path / "whole"), timeout=120)
    assert whole.returncode == 0, whole.stderr
    out = tmp_path / "parts"
    begun = call(home, "restore", "base", str(folder), *given, "--out", str(out), "--name", "cut", "--detach")
    assert begun.returncode == 0, begun.stderr
    run = next(r for r in directory.all(find(str(home))) if r.name == "cut")
    wait_for(lambda: (run.path / "restored.jsonl").exists())
    os.kill(json.loads((run.path / "process.json").read_text())["worker"]["pid"], signal.SIGKILL)
    wait_end(run)
    done = call(home, "resume", "cut", timeout=120)
    assert done.returncode == 0, done.stderr
    for i in range(12):
        assert (out / f"{i}.png").read_bytes() == (
            tmp_path / "whole" / f"{i}.png"
        ).read_bytes() or np.array_equal(
            np.asarray(Image.open(out / f"{i}.png")), np.asarray(Image.open(tmp_path / "whole" / f"{i}.png"))
        )
    numbers = [json.loads(line)["image"] for line in (run.path / "restored.jsonl").read_text().splitlines()]
    assert sorted(numbers) == list(range(12))


def test_the_output_folder_is_left_alone_if_it_holds_anything(home: Path, tmp_path: Path) -> None:
    folder = noisy(tmp_path / "in", 1)
    done: subprocess.CompletedProcess[str] = call(
        home, "restore", "base", str(folder), "--out", str(folder / "x")
    )
    assert done.returncode == 1
    assert "lies in the input folder" in done.stderr
    done = call(home, "restore", "base", str(folder / "0.png"), "--out", str(folder))
    assert done.returncode == 1
    assert "is not empty" in done.stderr
