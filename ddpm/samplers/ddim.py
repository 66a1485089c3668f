"""Denoising diffusion implicit models (Song, Meng & Ermon 2021, eq. 12)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from ddpm.diffusion import predict_epsilon
from ddpm.samplers.levels import Level
from ddpm.samplers.steps import Denoiser, Noise, SampleStep


def ddim(
    denoise: Denoiser, levels: Sequence[Level], noise: Noise, *, eta: float = 0.0
) -> Iterator[SampleStep]:
    """Draws images step by step down the `levels`; one evaluation of `denoise` each.

    eta scales the noise of a step (eq. 16): 0 is deterministic given x_T, 1 is ancestral sampling with
    the posterior's variance.
    """
    x, total = noise(0), len(levels) - 1
    for i, (now, below) in enumerate(pairwise(levels)):
        x_0 = denoise(x, now.time).x_0
        epsilon = predict_epsilon(x, x_0, now.alpha_bar)
        fresh = eta * below.sigma / now.sigma * max(0.0, 1 - now.alpha_bar / below.alpha_bar) ** 0.5
        x = below.alpha * x_0 + max(0.0, below.sigma**2 - fresh**2) ** 0.5 * epsilon  # rounding may pass 0
        if fresh > 0:
            x = x + fresh * noise(i + 1)
        yield SampleStep(i + 1, total, now.time, x, x_0)
