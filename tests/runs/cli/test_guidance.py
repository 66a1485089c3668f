"""Guided by an earlier step: of a real training, by runs that outlive it, and carried with the weights."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from ddpm import subject
from ddpm.configfiles import override
from runs import directory
from runs.directory import RunDirectory
from runs.home import find
from tests.runs.cli.command import call, call_json, with_training

GUIDED = ("-n", "4", "--guidance", "3", "--guidance-step", "10")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_training(tmp_path_factory.mktemp("home"))


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
    assert (
        "no checkpoint of step 10 before 10; there are none (--guidance-step unset, or --guidance 1"
        in of_itself
    )
    nowhere = call(home, "sample", "base@7", "--guidance", "2", "--guidance-step", "5")
    assert "base (#1) has no whole checkpoint of step 7; there are: 10, 20" in nowhere.stderr
    assert "--guidance-step: there is no guidance" in refused(home, "sample", "base", "--guidance-step", "10")
    for words in (
        ("--guidance", "1", "--guidance-class", "false"),
        ("--guidance", "2", "--guidance-step", "10"),
    ):
        idle = refused(home, "sample", "base", *words, "--guidance-class", "false")
        assert "--guidance-class: " in idle
    alone = refused(home, "sample", "base", "--guidance", "2")
    assert "or an earlier step to be guided by (guidance_step)" in alone
    no_milestone = "sampling.guidance_step: 10 is no milestone of the training before step"
    guided = ("--set", "sampling.guidance=2", "--set", "sampling.guidance_step=10")
    assert no_milestone in refused(home, "train", "digits", *guided)
    assert no_milestone in refused(home, "resume", "base", "--set", "training.steps=30", *guided)
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
    guide(run_of(own, "base"))
    out = tmp_path / "out"
    assert call(own, "export", "base", "--to", "safetensors", str(out)).returncode == 0
    assert sorted(p.name for p in out.iterdir()) == ["config.toml", "ema.safetensors", "guide", "state.json"]
    assert call(there, "import", str(out), "--name", "it").returncode == 0
    told = call_json(there, "show", "it")
    assert [c["step"] for c in told["checkpoints"]] == [10, 20]
    origin = told["provenance"]["imported"]
    for key, file in (("sha256", out), ("guide_sha256", out / "guide")):
        assert origin[key] == hashlib.sha256((file / "ema.safetensors").read_bytes()).hexdigest()
    assert call(there, "sample", "it", "-n", "4", "--name", "again").returncode == 0
    assert pixels(there, "again") == pixels(own, "guided")
    early = call(there, "export", "it@10", "--to", "safetensors", str(tmp_path / "early"))
    assert "note: sampling.guidance: 1, as step 10 is none that is guided by step 10" in early.stderr
    assert not (tmp_path / "early" / "guide").exists()
    shutil.rmtree(run_of(there, "it").path / "checkpoints" / "00000010")
    noted = call(there, "export", "it", "--to", "diffusers", str(tmp_path / "pipeline"))
    assert "the earlier step that guides images is not carried there" in noted.stderr
    shutil.rmtree(out / "guide")
    broken = call(tmp_path / "third", "import", str(out))
    assert broken.returncode
    assert "guide" in broken.stderr
    assert len(broken.stderr.splitlines()) == 1


def guide(run: RunDirectory) -> None:
    """Make it one whose own [sampling] is guided."""
    run.write_config(override(run.config(), ["sampling.guidance=3", "sampling.guidance_step=10"]))


def test_of_a_guided_training_any_step_can_be_used(home: Path, tmp_path: Path) -> None:
    own = tmp_path / "home"
    shutil.copytree(home, own)
    guide(run_of(own, "base"))
    for words in (("--guidance", "1"), ("--guidance", "1", "--guidance-step", "unset")):
        done = call(own, "sample", "base@10", "-n", "2", *words)
        assert done.returncode == 0, done.stderr
    assert "--guidance 1, draws without" in refused(own, "sample", "base@10")
    image = (
        next(run.path for run in directory.all(find(str(own))) if run.kind == "sample") / "images/000000.png"
    )
    for step in ("10", "20"):
        counts = ("--train", "8", "--test", "0", "--timesteps", "4")
        told = call(own, "likelihood", f"base@{step}", *counts, "--name", f"bits-{step}")
        assert told.returncode == 0, told.stderr
        noisy = (str(image), "--task", "denoise", "--sigma", "0.2", "--degrade")
        restored = call(own, "restore", f"base@{step}", *noisy, "--name", f"restored-{step}")
        assert restored.returncode == 0, restored.stderr
        for name in (f"bits-{step}", f"restored-{step}"):
            assert not (run_of(own, name).path / "source" / "guide").exists()
