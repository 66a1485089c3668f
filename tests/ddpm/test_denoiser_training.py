"""Trainings of a denoiser: steps, checkpoints and resuming as of a diffusion model, and other pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ddpm.config import Config
from ddpm.configfiles import ConfigError, override
from ddpm.events import CheckpointWritten, Ended, Metrics, SamplesWritten
from ddpm.images import read_png_text
from ddpm.training import Training
from tests.ddpm.test_training import blobs, of_kind, run, tiny

OBJECTIVES = ("noise2same", "noise2noise", "supervised")


def denoiser(objective: str, *settings: str) -> Config:
    return tiny(f"training.objective={objective}", "denoising.hidden=0.05", *settings)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_resume_is_exact_to_the_byte(tmp_path: Path, objective: str) -> None:
    """With mirrored images, dropped pixels and dropout: all of it is drawn again as it was."""
    config = denoiser(objective, "denoising.dropped=0.3", "training.accumulation=2")
    run(config, tmp_path / "whole")
    first = Training(config, tmp_path / "parts", device="cpu", data_root=tmp_path)
    for event in first:
        if isinstance(event, CheckpointWritten):
            first.stop()
    assert isinstance(event, Ended)
    assert (event.status, event.step) == ("stopped", 4)
    run(config, tmp_path / "parts")
    assert blobs(tmp_path / "whole", 8) == blobs(tmp_path / "parts", 8)


def test_objectives_end_in_different_networks(tmp_path: Path) -> None:
    for objective in OBJECTIVES:
        run(denoiser(objective, "training.steps=2"), tmp_path / objective)
    assert len({blobs(tmp_path / o, 2)["model.safetensors"] for o in OBJECTIVES}) == 3


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_loss_falls(tmp_path: Path, objective: str) -> None:
    settings = ("training.steps=40", "training.log_every=10", "training.checkpoint_every=1000",
                "model.dropout=0", "denoising.sigma=0.1")  # fmt: skip
    losses = [e.loss for e in of_kind(run(denoiser(objective, *settings), tmp_path), Metrics)]  # type: ignore[union-attr]
    assert losses[-1] < 0.75 * losses[0]


def test_the_grid_shows_noisy_and_denoised_side_by_side(tmp_path: Path) -> None:
    config = denoiser("noise2same", "training.sample_every=4", "denoising.sigma=0.2", "training.seed=7")
    events = run(config, tmp_path)
    assert of_kind(events, SamplesWritten) == [
        SamplesWritten(step, 16 * step, f"samples/{step:08d}.png", 4, 7, "denoiser", 1) for step in (4, 8)
    ]
    path = tmp_path / "samples" / "00000008.png"
    with Image.open(path) as image:
        assert image.size == (2 * 16 + 1, 2 * 8 + 1)  # 2×2 pairs of 8×8 images
        pixels = np.asarray(image, np.float64)
    assert pixels[:8, :8].std() > 10
    told = json.loads(read_png_text(path)["Settings"])
    assert told["training"] == {"objective": "noise2same", "seed": 7}
    assert told["denoising"]["sigma"] == 0.2
    assert "sampling" not in told


def test_a_grid_has_no_more_pairs_than_there_are_images_or_can_be_judged(tmp_path: Path) -> None:
    (shown,) = of_kind(
        run(denoiser("supervised", "training.steps=1", "sampling.count=64"), tmp_path), SamplesWritten
    )
    assert shown.count == 36  # type: ignore[union-attr]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_it_cannot_evaluate_itself(objective: str) -> None:
    with pytest.raises(
        ConfigError, match=r"^evaluation\.every: a network that learns to denoise .*must be 0$"
    ):
        denoiser(objective, "evaluation.every=10")
    with pytest.raises(ConfigError, match=r"^evaluation\.every: "):
        override(tiny("evaluation.every=10"), [f"training.objective={objective}"])
