"""Euler's and Heun's methods in sigma-space (Karras et al. 2022): d(x/alpha) = epsilon d(sigma/alpha)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from torch import Tensor

from ddpm.diffusion import predict_epsilon
from ddpm.samplers.levels import Level
from ddpm.samplers.steps import Denoiser, Noise, SampleStep


def euler(denoise: Denoiser, levels: Sequence[Level], noise: Noise) -> Iterator[SampleStep]:
    """First order; one evaluation of `denoise` a step. The same map as DDIM without noise."""
    x, total = noise(0), len(levels) - 1
    for i, (now, below) in enumerate(pairwise(levels)):
        x_0 = denoise(x, now.time).x_0
        x = _moved(x, predict_epsilon(x, x_0, now.alpha_bar), now, below)
        yield SampleStep(i + 1, total, now.time, x, x_0)


def heun(denoise: Denoiser, levels: Sequence[Level], noise: Noise) -> Iterator[SampleStep]:
    """Second order (algorithm 1 without churn); two evaluations of `denoise` a step, one in the last.

    The slope is the mean of those at both ends; where the image is clean there is none, as in the paper.
    """
    x, total = noise(0), len(levels) - 1
    for i, (now, below) in enumerate(pairwise(levels)):
        x_0 = denoise(x, now.time).x_0
        slope = predict_epsilon(x, x_0, now.alpha_bar)
        if below.sigma > 0:
            ahead = _moved(x, slope, now, below)
            again = predict_epsilon(ahead, denoise(ahead, below.time).x_0, below.alpha_bar)
            slope = (slope + again) / 2
        x = _moved(x, slope, now, below)
        yield SampleStep(i + 1, total, now.time, x, x_0)


def _moved(x: Tensor, slope: Tensor, now: Level, below: Level) -> Tensor:
    """x_t at `below`, a straight line of x/alpha over sigma/alpha away."""
    return below.alpha * (x / now.alpha + (below.ratio - now.ratio) * slope)
