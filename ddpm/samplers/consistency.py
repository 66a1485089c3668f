"""Few-step sampling with a consistency model (Song et al. 2023, algorithm 1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch

from ddpm.samplers.levels import CLEAN, Level
from ddpm.samplers.steps import Denoiser, Noise, SampleStep
from ddpm.schedules import Schedule

#: sigma / alpha that it begins at: all but noise for images in [-1, 1] (Karras et al. 2022).
HIGHEST = 80.0
#: sigma / alpha that is looked from a second time (Geng et al. 2024, for CIFAR-10); more looks lie around it.
_MIDDLE = 0.821


def consistency_times(schedule: Schedule, steps: int) -> list[int]:
    """The timesteps looked from, `steps` distinct ones descending: near HIGHEST, then, evenly in log sigma,
    from twice _MIDDLE down to half of it. Raises ValueError where there are not so many timesteps."""
    alpha_bars = schedule.alphas_cumprod
    if not 1 <= steps <= len(alpha_bars):
        raise ValueError(f"steps: {steps} is not between 1 and {len(alpha_bars)}")
    ratios = ((1 - alpha_bars) / alpha_bars).sqrt()
    octaves = torch.linspace(1, -1, steps - 1) if steps > 2 else torch.zeros(steps - 1)
    wanted = [HIGHEST, *(_MIDDLE * 2.0**octaves).tolist()]
    times: list[int] = []
    for place, ratio in enumerate(wanted):
        nearest = int((torch.searchsorted(ratios, ratio, right=True) - 1).clamp(min=0))
        above = times[-1] - 1 if times else len(ratios) - 1
        times.append(max(min(nearest, above), steps - 1 - place))  # room for those that follow
    return times


def consistency(denoise: Denoiser, levels: Sequence[Level], noise: Noise) -> Iterator[SampleStep]:
    """Sees the image in noise, and again in what it saw with less noise; one evaluation each."""
    x, total = noise(0), len(levels) - 1
    for i, (now, below) in enumerate(pairwise(levels)):
        x_0 = denoise(x, now.time).x_0
        x = x_0 if below == CLEAN else below.alpha * x_0 + below.sigma * noise(i + 1)
        yield SampleStep(i + 1, total, now.time, x, x_0)
