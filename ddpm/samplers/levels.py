"""The way from noise to image that a sampler takes: which timesteps, and what x_t is made of there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ddpm.schedules import Schedule

Spacing = Literal["uniform", "quadratic", "log_snr", "karras"]


@dataclass(frozen=True, slots=True)
class Level:
    """x_t = alpha x_0 + sigma epsilon at one timestep, alpha² + sigma² = 1."""

    time: int  #: 0 … T-1; -1 where the image is clean
    alpha: float  #: sqrt(alpha-bar_t)
    sigma: float  #: sqrt(1 - alpha-bar_t)

    @property
    def alpha_bar(self) -> float:
        return self.alpha**2

    @property
    def ratio(self) -> float:
        """sigma / alpha: the noise in x_t / alpha, which the sigma-space solvers step in (Karras 2022)."""
        return self.sigma / self.alpha

    @property
    def half_log_snr(self) -> float:
        """lambda_t = log(alpha / sigma) (Lu et al. 2022, DPM-Solver); infinite where the image is clean."""
        return math.log(self.alpha / self.sigma) if self.sigma else math.inf


#: Of lambda, where spacings that are even in it begin: a cosine schedule ends at -10, and half of the steps
#: would go where there is nothing to see (Lu et al. 2022, DPM-Solver++, released code: lambda_min_clipped).
LOWEST = -5.1

CLEAN = Level(-1, 1.0, 0.0)


def levels(schedule: Schedule, times: Sequence[int]) -> list[Level]:
    """The levels at descending `times`, and then the clean image."""
    alpha_bars = schedule.alphas_cumprod[list(times)]
    pairs = zip(alpha_bars.sqrt().tolist(), (1 - alpha_bars).sqrt().tolist(), strict=True)
    return [*(Level(t, alpha, sigma) for t, (alpha, sigma) in zip(times, pairs, strict=True)), CLEAN]


def time_grid(schedule: Schedule, steps: int, spacing: Spacing, rho: float = 7.0) -> list[int]:
    """The timesteps a sampler visits, `steps` distinct ones descending from T-1 to 0 (one step: the first).

    uniform: evenly (Nichol & Dhariwal 2021, section 4); quadratic: the i-th from below proportional to i²
    (Song et al. 2021, DDIM, appendix D.2); log_snr: evenly in lambda (Lu et al. 2022); karras: sigma / alpha
    to the power of 1 / rho evenly (Karras et al. 2022, eq. 5). The nearest timestep is taken, the next one
    where they crowd: a network is asked about no time that it was not trained on. The last two begin where
    lambda is not below LOWEST, and need alpha-bar above 0 everywhere. Raises ValueError where there are not
    so many timesteps.
    """
    timesteps = schedule.timesteps
    if not 1 <= steps <= timesteps:
        raise ValueError(f"steps: {steps} is not between 1 and {timesteps}")
    if steps == 1:
        return _wanted(schedule, torch.ones(1, dtype=torch.float64), spacing, rho)
    fraction = torch.linspace(0, 1, steps, dtype=torch.float64)
    grid: list[int] = []
    for i, time in enumerate(_wanted(schedule, fraction, spacing, rho)):
        time = min(time, timesteps - steps + i)  # leaves room for those that follow
        grid.append(max(time, grid[-1] + 1) if grid else time)
    return grid[::-1]


def _wanted(schedule: Schedule, fraction: Tensor, spacing: Spacing, rho: float) -> list[int]:
    """The nearest timesteps, ascending, from 0 at fraction 0 to the first one visited at fraction 1."""
    if spacing in ("uniform", "quadratic"):
        share = fraction if spacing == "uniform" else fraction**2
        return (share * (schedule.timesteps - 1)).round().long().tolist()
    log_ratio = (1 - schedule.alphas_cumprod).log() / 2 - schedule.alphas_cumprod.log() / 2
    low, high = log_ratio[0], log_ratio[-1].clamp(max=max(-LOWEST, float(log_ratio[0])))
    if spacing == "log_snr":
        wanted = low + fraction * (high - low)
    else:
        low, high = (low / rho).exp(), (high / rho).exp()
        wanted = (low + fraction * (high - low)).log() * rho
    above = torch.searchsorted(log_ratio, wanted).clamp(1, schedule.timesteps - 1)
    nearer_below = wanted - log_ratio[above - 1] < log_ratio[above] - wanted
    return torch.where(nearer_below, above - 1, above).tolist()
