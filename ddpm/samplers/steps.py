"""What every sampler works with: a denoiser, the timesteps to visit, noise by number, and a step's result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

#: (x_t (N, C, H, W), timestep 0 … T-1) to the noise predicted in x_t, of the same shape.
Denoiser = Callable[[Tensor, int], Tensor]
#: Number of a draw, 0 being x_T, to standard normal noise (N, C, H, W).
Noise = Callable[[int], Tensor]


@dataclass(frozen=True, slots=True)
class SampleStep:
    """After one network evaluation: where the images are, and where they seem to go."""

    index: int  #: 1 … total
    total: int
    timestep: int  #: of the evaluation
    x_t: Tensor  #: (N, C, H, W), the state after the step; after the last one the samples
    x_0: Tensor  #: (N, C, H, W), the image predicted in this step


def time_grid(timesteps: int, steps: int, spacing: Literal["uniform", "quadratic"]) -> list[int]:
    """The timesteps a sampler visits, descending from T-1 to 0 (from T-1 alone for one step).

    uniform: evenly, both ends included (Nichol & Dhariwal 2021, section 4); quadratic: the i-th from below
    proportional to i^2 (Song et al. 2021, DDIM, appendix D.2), kept distinct where they crowd.
    """
    if not 1 <= steps <= timesteps:
        raise ValueError(f"steps: {steps} is not between 1 and {timesteps}")
    if steps == 1:
        return [timesteps - 1]
    fraction = torch.linspace(0, 1, steps, dtype=torch.float64)
    wanted = ((timesteps - 1) * (fraction if spacing == "uniform" else fraction**2)).round().long().tolist()
    grid: list[int] = []
    for time in wanted:
        grid.append(max(time, grid[-1] + 1) if grid else time)
    return grid[::-1]


def clipped(x_0: Tensor, clip: bool) -> Tensor:
    """Images lie in [-1, 1], and so should predictions of them (Ho et al. 2020, released code)."""
    return x_0.clamp(-1, 1) if clip else x_0
