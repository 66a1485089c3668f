"""The verb likelihood: what it refuses before anything is made, and real runs from start to end."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from runs import directory
from runs.cli.main import main
from runs.directory import RunDirectory
from runs.home import find
from tests.runs.cli.command import call, call_json, record, with_training
from tests.runs.processes import add_checkpoint, wait_end, wait_for

REFUSED = [
    (["none"], 1, "there is no run 'none'"),
    (["base@5"], 1, "base (#1) has no whole checkpoint of step 5; there are: 10"),
    (["drawn"], 1, "drawn (#2) is a sample run: only trainings have checkpoints"),
    (["base", "--train", "-1"], 2, "likelihood.train: '-1' is not a whole number, at least 0"),
    (["base", "--train", "0"], 2, "likelihood.train: no image of either part is asked for"),
    (["base", "--test", "5"], 2, "likelihood.test: this data set has no test part; it must be 0"),
    (["base", "--timesteps", "1"], 2, "likelihood.timesteps: '1' is not a whole number, at least 2"),
    (["base", "--timesteps", "5000"], 2, "likelihood.timesteps: 5000 is above diffusion.timesteps"),
    (["base", "--name", "last"], 2, "'last' cannot be a name"),
    (["base", "--samples", "5"], 2, "no option '--samples'"),
]


@pytest.mark.parametrize(("arguments", "status", "message"), REFUSED, ids=[" ".join(a) for a, *_ in REFUSED])
def test_what_likelihood_refuses(
    arguments: list[str], status: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = find(str(tmp_path))
    add_checkpoint(record(home, "base"), 10)
    record(home, "drawn").edit(kind="sample")
    try:
        left = main(["--home", str(tmp_path), "likelihood", *arguments])
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


def found(home: Path, name: str) -> RunDirectory:
    return next(run for run in directory.all(find(str(home))) if run.name == name)


def likelihood(home: Path, name: str) -> dict[str, Any]:
    (row,) = call_json(home, "show", name)["likelihood"]
    return dict(row)


def test_a_likelihood_from_start_to_end(home: Path) -> None:
    given = ("--train", "12", "--timesteps", "8", "--name", "bits")
    done = call(home, "likelihood", "base", *given, timeout=120)
    assert done.returncode == 0, done.stderr
    assert " of 12 train images" in done.stdout
    shown = call(home, "show", "bits").stdout
    assert "likelihood of run 1@" in shown
    assert "images        12" in shown
    assert "bits/dim" in shown
    row = likelihood(home, "bits")
    assert (row["split"], row["done"], row["count"]) == ("train", 12, 12)
    assert len(row["terms"]) + 1 == len(row["edges"])
    assert row["error"] < row["bits_per_dim"]
    assert [run["name"] for run in call_json(home, "ls", "--kind", "likelihood")] == ["bits"]
    again = call(home, "resume", "bits")
    assert (again.returncode, "nothing is left to do" in again.stderr) == (1, True)
    refused = call(home, "resume", "bits", "--set", "likelihood.seed=1")
    assert "is a likelihood run and takes no settings but data.root" in refused.stderr


def test_a_killed_one_goes_on_to_the_same_numbers(home: Path) -> None:
    given = ("--train", "200", "--timesteps", "10", "--batch-size", "2")
    whole = call(home, "likelihood", "base", *given, "--name", "whole", timeout=120)
    assert whole.returncode == 0, whole.stderr
    begun = call(home, "likelihood", "base", *given, "--name", "cut", "--detach")
    assert begun.returncode == 0, begun.stderr
    run = found(home, "cut")
    file = run.path / "likelihood" / "train.f32"
    wait_for(lambda: file.exists() and file.stat().st_size > 0)
    os.kill(json.loads((run.path / "process.json").read_text())["worker"]["pid"], signal.SIGKILL)
    wait_end(run)
    done = call(home, "resume", "cut", timeout=120)
    assert done.returncode == 0, done.stderr
    assert likelihood(home, "cut") == likelihood(home, "whole")
