"""What every sampler works with: a denoiser, noise by number, and a step's result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Denoised:
    """What a network says of x_t, whatever it was trained to predict."""

    x_0: Tensor  #: (N, C, H, W), the image it sees in x_t
    #: (N, C, H, W), where the log-variance of the step back lies between beta-tilde's (0) and beta's (1)
    #: (Nichol & Dhariwal 2021, eq. 15); None where the variance is not learned
    fraction: Tensor | None = None


#: (x_t (N, C, H, W), timestep 0 … T-1) to what is seen in x_t.
Denoiser = Callable[[Tensor, int], Denoised]
#: Number of a draw, 0 being x_T, to standard normal noise (N, C, H, W).
Noise = Callable[[int], Tensor]


@dataclass(frozen=True, slots=True)
class SampleStep:
    """After one step: where the images are, and where they seem to go."""

    index: int  #: 1 … total
    total: int
    timestep: int  #: that the step began at
    x_t: Tensor  #: (N, C, H, W), the state after the step; after the last one the samples
    x_0: Tensor  #: (N, C, H, W), the image predicted in this step
