"""The forward process and the conversions between what a network may predict: small pure functions.

`alpha_bar` is alpha-bar_t, a number or a tensor that broadcasts against the images (N, C, H, W).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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


def simple_loss(
    network: nn.Module,
    marginals: Marginals,
    x_0: Tensor,
    times: Tensor,
    noise: Tensor,
    prediction: Prediction = "epsilon",
) -> Tensor:
    """L_simple (Ho et al. 2020, eq. 14): mean squared error of what is predicted, a float32 scalar.

    x_0 and noise float32 (N, C, H, W); times int64 (N,) in 0 … T-1, all on the marginals' device.
    """
    signal, spread = marginals.signal[times].view(-1, 1, 1, 1), marginals.noise[times].view(-1, 1, 1, 1)
    target = {"epsilon": noise, "x0": x_0}.get(prediction)
    if target is None:
        target = signal * noise - spread * x_0
    return F.mse_loss(network(signal * x_0 + spread * noise, times), target)
