"""Guided by an earlier step: of a real training, by runs that outlive it, and carried with the weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from ddpm import subject
from runs import directory
from runs.directory import RunDirectory
from runs.home import find
from tests.runs.cli.command import call, call_json, tiny

GUIDED = ("-n", "4", "--guidance", "3", "--guidance-step", "10")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a short training in it."""
    path = tmp_path_factory.mktemp("home")
    done = call(path, "train", "digits", *tiny(), "--name", "base", timeout=300)
    assert done.returncode == 0, done.stderr
    return path


def run_of(home: Path, name: str) -> RunDirectory:
    return next(run for run in directory.all(find(str(home))) if run.name == name)


def pixels(home: Path, name: str) -> bytes:
    return Image.open(run_of(home, name).path / "images" / "000003.png").tobytes()


def refused(home: Path, *words: str) -> str:
    before = len(directory.all(find(str(home))))
    done = call(home, *words)
    assert done.returncode == 2
    assert len([line for line in done.stderr.splitlines() if not line.startswith("Try: ")]) == 1
    assert len(directory.all(find(str(home)))) == before
    return done.stderr


def test_what_cannot_guide_is_refused_before_anything_starts(home: Path) -> None:
    there = "sampling.guidance_step: base has no checkpoint of step 7 before 20; there are 10"
    for verb in ("sample", "evaluate"):
        assert there in refused(home, verb, "base", "--guidance", "2", "--guidance-step", "7")
    of_itself = refused(home, "sample", "base@10", "--guidance", "2", "--guidance-step", "10")
    assert "no checkpoint of step 10 before 10; there are none; training.milestone_every keeps" in of_itself
    assert "--guidance-step: there is no guidance" in refused(home, "sample", "base", "--guidance-step", "10")
    alone = refused(home, "sample", "base", "--guidance", "2")
    assert "or an earlier step to be guided by (guidance_step)" in alone
    no_milestone = "sampling.guidance_step: 10 is no milestone of the training before step"
    assert no_milestone in refused(home, "train", "digits", "--set", "sampling.guidance_step=10")
    on = ("resume", "base", "--set", "training.steps=30", "--set", "sampling.guidance_step=10")
    assert no_milestone in refused(home, *on)
    assert run_of(home, "base").config().sampling.guidance_step is None


def test_a_guided_run_needs_the_training_no_more(home: Path, tmp_path: Path) -> None:
    own = tmp_path / "home"
    shutil.copytree(home, own)
    for words in ((), GUIDED[2:]):
        done = call(own, "sample", "base", "-n", "4", "--name", "guided" if words else "plain", *words)
        assert done.returncode == 0, done.stderr
    assert pixels(own, "guided") != pixels(own, "plain")
    source = run_of(own, "guided").path / "source"
    assert sorted(p.name for p in (source / "guide").iterdir()) == ["ema.safetensors", "state.json"]
    run = run_of(own, "guided")
    shutil.rmtree(run_of(own, "base").path)
    found = subject.from_checkpoint(run.path / "source", run.config(), torch.device("cpu"))
    assert found.guide is not None


def test_a_guide_is_carried_with_the_weights(home: Path, tmp_path: Path) -> None:
    own, there = tmp_path / "home", tmp_path / "there"
    shutil.copytree(home, own)
    assert call(own, "sample", "base", *GUIDED, "--name", "guided").returncode == 0
    base = run_of(own, "base")
    text = base.path.joinpath("config.toml").read_text()
    base.path.joinpath("config.toml").write_text(
        text.replace("guidance = 1.0", "guidance = 3.0\nguidance_step = 10")
    )
    out = tmp_path / "out"
    assert call(own, "export", "base", "--to", "safetensors", str(out)).returncode == 0
    assert sorted(p.name for p in out.iterdir()) == ["config.toml", "ema.safetensors", "guide", "state.json"]
    assert call(there, "import", str(out), "--name", "it").returncode == 0
    told = call_json(there, "show", "it")
    assert [c["step"] for c in told["checkpoints"]] == [10, 20]
    assert call(there, "sample", "it", "-n", "4", "--name", "again").returncode == 0
    assert pixels(there, "again") == pixels(own, "guided")
    assert call(there, "export", "it@10", "--to", "safetensors", str(tmp_path / "early")).returncode == 0
    assert not (tmp_path / "early" / "guide").exists()
    noted = call(there, "export", "it", "--to", "diffusers", str(tmp_path / "pipeline"))
    assert "the earlier step that images are guided by is not carried there" in noted.stderr
    shutil.rmtree(out / "guide")
    broken = call(tmp_path / "third", "import", str(out))
    assert broken.returncode
    assert "guide" in broken.stderr
    assert len(broken.stderr.splitlines()) == 1
