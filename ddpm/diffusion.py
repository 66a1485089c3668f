"""The forward process and the conversions between what a network may predict: small pure functions.

`alpha_bar` is alpha-bar_t, a number or a tensor that broadcasts against the images (N, C, H, W).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ddpm.config import Prediction
from ddpm.schedules import Schedule

Coefficient = float | Tensor


def _sqrt(value: Coefficient) -> Coefficient:
    return value.sqrt() if isinstance(value, Tensor) else value**0.5


def q_sample(x_0: Tensor, noise: Tensor, alpha_bar: Coefficient) -> Tensor:
    """x_t from x_0 in one step (Ho et al. 2020, eq. 4)."""
    return _sqrt(alpha_bar) * x_0 + _sqrt(1 - alpha_bar) * noise


def predict_x0(x_t: Tensor, epsilon: Tensor, alpha_bar: Coefficient) -> Tensor:
    """The x_0 that noise epsilon in x_t means (Ho et al. 2020, eq. 15)."""
    return (x_t - _sqrt(1 - alpha_bar) * epsilon) / _sqrt(alpha_bar)


def predict_epsilon(x_t: Tensor, x_0: Tensor, alpha_bar: Coefficient) -> Tensor:
    """The noise in x_t that x_0 means: the inverse of `predict_x0`."""
    return (x_t - _sqrt(alpha_bar) * x_0) / _sqrt(1 - alpha_bar)


def predict_v(x_0: Tensor, epsilon: Tensor, alpha_bar: Coefficient) -> Tensor:
    """The velocity v of x_0 and epsilon (Salimans & Ho 2022, section 4)."""
    return _sqrt(alpha_bar) * epsilon - _sqrt(1 - alpha_bar) * x_0


def x0_of_v(x_t: Tensor, v: Tensor, alpha_bar: Coefficient) -> Tensor:
    """The x_0 that velocity v in x_t means (there, appendix D): defined at any alpha-bar, also at 0."""
    return _sqrt(alpha_bar) * x_t - _sqrt(1 - alpha_bar) * v


def x0_of(prediction: Prediction, x_t: Tensor, output: Tensor, alpha_bar: Coefficient) -> Tensor:
    """The x_0 that a network's output means, whatever it predicts; all (N, C, H, W)."""
    if prediction == "x0":
        return output
    return (predict_x0 if prediction == "epsilon" else x0_of_v)(x_t, output, alpha_bar)


@dataclass(frozen=True, slots=True)
class Marginals:
    """What q(x_t | x_0) is made of (Ho et al. 2020, eq. 4), float32 (T,) each, on one device."""

    signal: Tensor  #: sqrt(alpha-bar_t)
    noise: Tensor  #: sqrt(1 - alpha-bar_t), from float64: in float32 the difference is lost at small t

    @classmethod
    def of(cls, schedule: Schedule, device: torch.device) -> Marginals:
        alpha_bar = schedule.alphas_cumprod
        return cls(alpha_bar.sqrt().float().to(device), (1 - alpha_bar).sqrt().float().to(device))

    def mixed(self, x_0: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """x_t of images and noise (N,C,H,W), each at its own of the times int64 (N,): eq. 4."""
        return _per_image(self.signal, times) * x_0 + _per_image(self.noise, times) * noise

    def target(self, prediction: Prediction, x_0: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """What the network is to say of that x_t, (N,C,H,W)."""
        if prediction == "v":
            return _per_image(self.signal, times) * noise - _per_image(self.noise, times) * x_0
        return noise if prediction == "epsilon" else x_0


def _per_image(table: Tensor, times: Tensor) -> Tensor:
    return table[times].view(-1, 1, 1, 1)


def split(output: Tensor, learned: bool) -> tuple[Tensor, Tensor | None]:
    """A network's output as (what it predicts, where its log-variance lies from 0 to 1).

    Where the variance is learned the output is (N,2C,H,W), its second half from -1 to 1 (Nichol & Dhariwal
    2021, eq. 15, as released); nothing but the loss keeps it there.
    """
    if not learned:
        return output, None
    said, between = output.chunk(2, dim=1)
    return said, (between + 1) / 2
