"""Choosing an average of the weights: of a real training, by runs that outlive it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from ddpm import subject
from runs import directory
from runs.directory import RunDirectory
from runs.home import find
from tests.runs.cli.command import call, tiny

KEPT = ("training.ema_decays=0.5", "training.ema_lengths=0.05,0.1", "training.ema_snapshots=1")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a short training in it."""
    path = tmp_path_factory.mktemp("home")
    settings = [word for setting in KEPT for word in ("--set", setting)]
    done = call(path, "train", "digits", *tiny(), *settings, "--name", "base", timeout=300)
    assert done.returncode == 0, done.stderr
    return path


def test_what_is_not_kept_is_refused_before_anything_starts(home: Path) -> None:
    before = len(directory.all(find(str(home))))
    for verb in ("sample", "evaluate"):
        done = call(home, verb, "base", "--average", "0.7")
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert (
            "sampling.average: the training keeps no average 0.7; there is 0.99, 0.5, 0.05, 0.1 and"
            in done.stderr
        )
        done = call(
            home, verb, "base@10", "--average", "0.001", *(("--no-companions",) * (verb == "evaluate"))
        )
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert "sampling.average: 9 snapshots before step 10 make no average of length 0.001 (" in done.stderr
        assert "take one of 0.03 to 0.23, or a later checkpoint" in done.stderr
    refused = call(
        home, "train", "digits", "--set", "sampling.average=0.07", "--set", KEPT[1], "--set", KEPT[2]
    )
    assert refused.returncode == 2
    assert "sampling.average: 0.07 is made of snapshots" in refused.stderr
    changed = call(home, "resume", "base", "--set", "training.ema_decays=0.6", "--set", "training.steps=90")
    assert "training.ema_decays: cannot change when resuming" in changed.stderr
    assert len(directory.all(find(str(home)))) == before


def test_an_average_made_of_snapshots_needs_the_training_no_more(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home, tmp_path / "home")
    own = tmp_path / "home"
    for average, name in (("0.5", "decay"), ("0.1", "length"), ("0.08", "made")):
        begun = call(own, "sample", "base", "-n", "4", "--steps", "2", "--average", average, "--name", name)
        assert begun.returncode == 0, begun.stderr
    runs = {run.name: run.path for run in directory.all(find(str(own)))}
    files = {
        name: sorted(path.name for path in (runs[name] / "source").glob("*.safetensors")) for name in runs
    }
    assert files["decay"] == ["ema-0.5.safetensors"]
    assert files["length"] == ["ema-0.1.safetensors"]
    assert files["made"] == ["ema-0.05.safetensors", "ema-0.1.safetensors"]
    assert list((runs["made"] / "source" / "snapshots").iterdir())
    pictures = {name: (runs[name] / "images" / "000000.png").read_bytes() for name in files if name != "base"}
    assert len(set(pictures.values())) == 3
    shutil.rmtree(runs["base"])
    run = RunDirectory(runs["made"])
    found = subject.from_checkpoint(run.path / "source", run.config(), torch.device("cpu"))
    assert all(bool(t.isfinite().all()) for t in found.network.state_dict().values())
