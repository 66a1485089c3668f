"""The forward process and the conversions between what a network may predict: small pure functions.

`alpha_bar` is alpha-bar_t, a number or a tensor that broadcasts against the images (N, C, H, W).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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


def simple_loss(
    network: nn.Module, schedule: Schedule, x_0: Tensor, timesteps: Tensor, noise: Tensor
) -> Tensor:
    """L_simple (Ho et al. 2020, eq. 14): mean squared error of the predicted noise, a float32 scalar.

    x_0 and noise float32 (N, C, H, W); timesteps int64 (N,) in 0 … T-1, on the device of x_0.
    """
    alpha_bar = schedule.alphas_cumprod.to(torch.float32).to(x_0.device)[timesteps].view(-1, 1, 1, 1)
    return F.mse_loss(network(q_sample(x_0, noise, alpha_bar), timesteps), noise)
