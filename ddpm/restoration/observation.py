"""What a measurement says in spectral coordinates, and from which timestep on it says all there is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ddpm.restoration.degradation import Degradation
from ddpm.samplers.levels import time_grid
from ddpm.schedules import Schedule

#: Rounding to 8 bits, as noise on values in [-1, 1]: nothing that was ever a file is known more exactly.
ROUNDING = 2 / 255 / math.sqrt(12)


@dataclass(frozen=True, slots=True)
class Observation:
    """Each spectral coordinate of the image is N(target, spread²), where it is seen at all.

    Both broadcast against (N,C,H,W); float32, on the device to work on.
    """

    target: Tensor  #: (N,C,H,W); 0 where nothing is seen
    spread: Tensor  #: standard deviation, infinite where nothing is seen

    @classmethod
    def of(cls, degradation: Degradation, measurement: Tensor, sigma: float) -> Observation:
        """measurement: (N, *degradation.measured), with noise of standard deviation sigma >= 0."""
        s = degradation.singulars.to(measurement)
        return cls(degradation.solved(measurement), torch.where(s > 0, sigma / s, math.inf))


def noise_level(schedule: Schedule, time: int) -> float:
    """The standard deviation of the noise in x_t / sqrt(alpha-bar_t): sigma_t of DDRM, section 3.1."""
    alpha_bar = float(schedule.alphas_cumprod[time])
    return math.sqrt((1 - alpha_bar) / alpha_bar)


def restoring_times(
    schedule: Schedule,
    observation: Observation,
    steps: int,
    spacing: Literal["uniform", "quadratic"] = "uniform",
) -> list[int]:
    """`steps` descending timesteps (fewer where there are not so many), from where the noise fits.

    Above the largest spread of any coordinate the measurement alone decides the state, and the network's
    word counts for nothing: no evaluation is spent there. Where something is not seen at all that is T-1.
    """
    worst = float(observation.spread.max())
    noise = ((1 - schedule.alphas_cumprod) / schedule.alphas_cumprod).sqrt()
    above = int((noise < worst).sum())  # the first timestep whose noise is at least as strong
    count = min(above + 1, int(noise.isfinite().sum()))  # where nothing of the image is left, nothing fits
    return time_grid(schedule.until(count), min(steps, count), spacing)
