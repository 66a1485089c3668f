"""Ancestral sampling (Ho et al. 2020, algorithm 2), strided as in Nichol & Dhariwal 2021, section 4."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from ddpm.config import Variance
from ddpm.samplers.levels import Level
from ddpm.samplers.steps import Denoiser, Noise, SampleStep


def ddpm(
    denoise: Denoiser,
    levels: Sequence[Level],
    noise: Noise,
    *,
    variance: Variance = "fixed_large",
) -> Iterator[SampleStep]:
    """Draws images step by step down the `levels`; one evaluation of `denoise` each.

    The variance of a reverse step is beta (fixed_large), the posterior's (fixed_small), or learned in
    between, all of the process that visits these levels alone; the last step adds no noise.
    """
    x, total = noise(0), len(levels) - 1
    for i, (now, below) in enumerate(pairwise(levels)):
        found = denoise(x, now.time)
        x = posterior_mean(x, found.x_0, now, below)
        if i + 1 < total:
            x = x + _spread(now, below, variance, found.fraction) * noise(i + 1)
        yield SampleStep(i + 1, total, now.time, x, found.x_0)


def posterior_mean(x: Tensor, x_0: Tensor, now: Level, below: Level) -> Tensor:
    """Mean of q(x_below | x_now, x_0) (Ho et al. 2020, eq. 7), x and x_0 (N, C, H, W)."""
    kept = now.alpha_bar / below.alpha_bar  # 1 - beta of this step
    mean = below.alpha * (1 - kept) / now.sigma**2 * x_0
    return mean + kept**0.5 * below.sigma**2 / now.sigma**2 * x


def _spread(now: Level, below: Level, variance: Variance, fraction: Tensor | None) -> Tensor | float:
    """Standard deviation of the step from `now` to `below`."""
    large = 1 - now.alpha_bar / below.alpha_bar
    small = below.sigma**2 / now.sigma**2 * large
    if variance == "learned_range":
        assert fraction is not None, "the network tells no variance"
        return torch.exp(0.5 * (fraction * math.log(large) + (1 - fraction) * math.log(small)))
    return (large if variance == "fixed_large" else small) ** 0.5
