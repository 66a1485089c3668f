"""One stretch from a preset to a result, on a tiny budget, as it would be run on a GPU."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import stretch
from benchmarks.stretch import results, training
from ddpm import images


def test_what_is_run_in_which_order() -> None:
    assert training("mnist-gpu", ["training.seed=1"]) == ["train", "mnist-gpu", "--set", "training.seed=1"]
    asked = results("mine", 100, ["--steps", "20"])
    assert [name for name, _ in asked] == ["mine-tensorflow", "mine-pytorch-fid", "mine-bits"]
    wanted = ["evaluate", "mine", "--samples=100", "--convention=pytorch-fid", "--steps", "20"]
    assert asked[1][1] == wanted


class Home:
    """Stands for `ddpm-tui`: every run finishes at once, its FID decided by its --steps."""

    def __init__(self) -> None:
        self.runs: dict[str, list[str]] = {}

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        told: object = None
        if arguments[0] == "ls":
            told = [{"name": name, "status": "finished"} for name in self.runs]
        elif arguments[0] == "show":
            made = self.runs[arguments[1]]
            steps = float(made[made.index("--steps") + 1]) if "--steps" in made else 50.0
            told = {"command": ["ddpm-tui", *made], "evaluations": [{"fid": abs(steps - 20)}]}
        else:
            self.runs[arguments[-1].removeprefix("--name=")] = list(arguments)
        return subprocess.CompletedProcess([], 0, json.dumps(told))


def test_the_best_way_to_draw_is_chosen_and_no_other_is_taken_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = Home()
    monkeypatch.setattr(stretch, "ddpm_tui", home)
    tries = [[], ["--steps", "10"], ["--steps", "19"]]
    for _ in range(2):
        assert stretch.chosen("mine", tries, 100) == ["--steps", "19"]
    assert list(home.runs) == ["mine-try-1", "mine-try-2", "mine-try-3"]
    assert stretch.chosen("mine", [], 100) == []
    with pytest.raises(SystemExit, match="mine-try-1 was made by ddpm-tui evaluate mine"):
        stretch.chosen("mine", tries[1:], 100)
    with pytest.raises(SystemExit, match="remove it, or give another NAME"):
        stretch.chosen("mine", tries, 200)


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize("preset", ["mnist-gpu", "cifar10-gpu"])
def test_the_presets_for_gpus_in_small(
    preset: str, tmp_path: Path, real_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stretch of each, with a folder of few images in place of the data set; asked for twice."""
    monkeypatch.setenv("DDPM_INCEPTION", str(real_data / "inception/pt-inception-trunk.pth"))
    (tmp_path / "images").mkdir()
    for i, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3), np.uint8)):
        images.save_png(tmp_path / f"images/{i}.png", pixels)
    settings = (
        "data.dataset=folder", f"data.root={tmp_path / 'images'}", "data.image_size=16", "model.classes=0",
        "model.channels=16", "model.groups=8", "model.blocks=1", "model.attention=8",
        "training.steps=2", "training.batch_size=4", "sampling.steps=2", "sampling.count=4",
    )  # fmt: skip
    changes = [f"--set={setting}" for setting in settings]
    command = [sys.executable, "-m", "benchmarks.stretch", preset, "small", "--samples=8", *changes]
    command += ["--try=", "--try=--sampler ddim --steps 1", "--try-samples=4"]
    command += [f"--home={tmp_path / 'home'}", f"--out={tmp_path / 'results'}"]
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
    assert len(list((tmp_path / "home/runs").glob("0*"))) == 6  # nothing was made twice
    tried = re.findall(r"small-try-(\d): FID (\S+) of 4 samples, (.*)", done.stdout)
    assert [(number, how) for number, _, how in tried] == [
        ("1", "as it is"),
        ("2", "--sampler ddim --steps 1"),
    ]
    told = json.loads((tmp_path / "results/small.json").read_text())
    assert (told["samples"], told["steps"], told["images_seen"]) == (8, 2, 8)
    assert told["fid"] > 0 < told["fid_pytorch"]
    assert (told["nfe"] == 1) is (float(tried[1][1]) < float(tried[0][1]))  # drawn by the better one
    assert told["bits_per_dim"]["train"]["images"] == 12
    assert f"ddpm-tui train {preset}" in told["command"]
    assert (tmp_path / "results/small.png").exists()
    assert (tmp_path / "results/small/ema.safetensors").exists()
