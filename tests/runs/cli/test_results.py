"""What is committed in docs/results/: told whole, with weights that draw digits in the first minute."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from torchvision.transforms.functional import pil_to_tensor

from ddpm.evaluation import classifier
from tests.runs.cli.command import call

RESULTS = Path(__file__).parents[3] / "docs" / "results"
SUMMARIES = sorted(RESULTS.glob("*.json"))
TOLD = (
    *("dataset", "fid", "fid_pytorch", "floor", "samples", "protocol", "hardware", "training_hours"),
    *("images_seen", "command", "seeds"),
)


@pytest.mark.parametrize("path", SUMMARIES, ids=lambda path: path.stem)
def test_a_result_is_told_whole(path: Path) -> None:
    told = json.loads(path.read_text())
    assert not [key for key in TOLD if key not in told]
    assert 0 < told["floor"] < told["fid"]
    assert told["protocol"]["samples"] == told["samples"]
    assert len(told["seeds"]) >= 1
    assert "/" not in told["command"].replace("ddpm-tui/", "")  # no path of the machine that it was made on
    assert path.with_suffix(".png").stat().st_size < 1_000_000
    assert sum(file.stat().st_size for file in path.with_suffix("").iterdir()) < 20_000_000


@pytest.mark.slow
def test_the_digits_that_come_along_are_digits(tmp_path: Path) -> None:
    """The classifier of MNIST's digits sees each class that was asked for."""
    assert call(tmp_path, "import", str(RESULTS / "mnist-cpu"), "--name", "digits").returncode == 0
    out = tmp_path / "out"
    done = call(tmp_path, "sample", "digits", "-n", "50", "--seed", "5", "--out", str(out), timeout=120)
    assert done.returncode == 0, done.stderr
    drawn = torch.stack([pil_to_tensor(Image.open(path)) for path in sorted(out.glob("*.png"))])
    assert drawn.shape == (50, 1, 28, 28)
    seen = classifier.read()(classifier.prepare(drawn)).argmax(1)
    assert (seen == torch.arange(50) % 10).float().mean() > 0.9
