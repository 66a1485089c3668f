"""Classical restorations: each brings an image nearer to the truth, and nothing is shifted."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks import classical
from ddpm.config import RestorationConfig
from ddpm.restoration import tasks

SIZE = 24


def blocks() -> classical.Image:
    """A picture of plain areas and edges."""
    image = np.full((SIZE, SIZE), 0.2)
    image[4:16, 6:14] = 0.9
    image[10:20, 16:22] = 0.6
    return image


def tensor(image: classical.Image) -> torch.Tensor:
    return torch.from_numpy(image)[None, None] * 2 - 1


CASES = {
    "denoise": {"sigma": 0.2},
    "inpaint": {"mask": "random"},
    "deblur": {"sigma": 0.01},
    "compressed-sensing": {"ratio": 0.5},
}


@pytest.mark.parametrize("task", CASES)
def test_the_best_of_each_kind_comes_nearer_to_the_truth(task: str) -> None:
    restoration = RestorationConfig(task=task, **CASES[task])
    degradation = tasks.degradation(restoration, (1, SIZE, SIZE))
    truth = blocks()
    if task == "compressed-sensing":
        x = torch.from_numpy(truth)[None, None]
        degraded = degradation.pseudo_inverse(degradation.degrade(x))[0, 0].numpy()
    else:
        noise = torch.randn(1, *degradation.measured, generator=torch.Generator().manual_seed(0))
        measured = degradation.degrade(tensor(truth)) + 2 * (restoration.sigma or 0) * noise
        degraded = (tasks.as_image(restoration, degradation, measured)[0, 0].double().numpy() + 1) / 2
    name, method = classical.best(classical.methods(restoration, degradation), [degraded], [truth])
    found = classical.restored(method, degraded)
    assert np.mean((found - truth) ** 2) < 0.6 * np.mean((degraded - truth) ** 2), name


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("kind", ["bilinear", "bicubic"])
def test_enlarging_shifts_nothing(scale: int, kind: str) -> None:
    """A ramp comes out as a ramp, at the same place: means of neighbours lie between them."""
    ramp = np.linspace(0.1, 0.9, SIZE)[None].repeat(SIZE, 0)
    restoration = RestorationConfig(task="super-resolution", scale=scale)
    degradation = tasks.degradation(restoration, (1, SIZE, SIZE))
    small = tasks.as_image(restoration, degradation, degradation.degrade(tensor(ramp)))
    seen = (small[0, 0].numpy() + 1) / 2
    found = classical.methods(restoration, degradation)[kind](seen)
    inner = slice(2 * scale, -2 * scale)
    assert np.allclose(found[inner, inner], ramp[inner, inner], atol=4e-3)  # half a pixel would be 0.017
