"""The variational bound on the likelihood, term by term (Ho et al. 2020, eq. 5; Nichol & Dhariwal 2021).

Every term is in bits per dimension: nats over log 2, the mean over the values of an image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ddpm.config import DiffusionConfig, Variance
from ddpm.schedules import Schedule

#: Half of the distance between two neighbours of the 256 values of a pixel, in [-1, 1].
_HALF_BIN = 1 / 255


@dataclass(frozen=True, slots=True)
class Bound:
    """The tables that the terms need, float32 (T,) each, on one device; computed in float64."""

    log_large: Tensor  #: log beta_t
    log_small: Tensor  #: log beta-tilde_t; that of t = 1 at t = 0, where it is 0 (as the papers' codes do)
    of_image: Tensor  #: what the posterior's mean has of x_0 (Ho et al. 2020, eq. 7)
    of_state: Tensor  #: what it has of x_t
    variance: Variance

    @classmethod
    def of(cls, config: DiffusionConfig, schedule: Schedule, device: torch.device) -> Bound:
        now, betas = schedule.alphas_cumprod, schedule.betas
        before = torch.cat([torch.ones(1, dtype=torch.float64), now[:-1]])
        small = schedule.posterior_variance()

        def table(values: Tensor) -> Tensor:
            return values.float().to(device)

        return cls(
            log_large=table(betas.log()),
            log_small=table(torch.cat([small[1:2], small[1:]]).log()),
            of_image=table(before.sqrt() * betas / (1 - now)),
            of_state=table((1 - betas).sqrt() * (1 - before) / (1 - now)),
            variance=config.variance,
        )

    def log_variance(self, times: Tensor, fraction: Tensor | None) -> Tensor:
        """Of the step back from `times` (N,): (N,1,1,1), or as `fraction` (N,C,H,W) says between the two."""
        small, large = _per_image(self.log_small, times), _per_image(self.log_large, times)
        if self.variance == "learned_range":
            assert fraction is not None
            return fraction * large + (1 - fraction) * small
        if self.variance == "fixed_small":
            return small
        return torch.where(times.view(-1, 1, 1, 1) == 0, small, large)  # beta_1 would blur what is certain

    def terms(
        self, x_0: Tensor, x_t: Tensor, found: Tensor, fraction: Tensor | None, times: Tensor
    ) -> Tensor:
        """L_t of images x_0 whose states x_t at `times` the network took for `found`: (N,) bits/dim.

        x_0, x_t, found, fraction float32 (N,C,H,W), times int64 (N,). At t = 0 it is the negative log of the
        discretised Gaussian (Ho et al. 2020, eq. 13), else the KL divergence of the two steps back.
        """
        from_image, from_state = _per_image(self.of_image, times), _per_image(self.of_state, times)
        mean = from_image * found + from_state * x_t
        log_variance = self.log_variance(times, fraction)
        divergence = _gaussian_kl(
            from_image * x_0 + from_state * x_t, _per_image(self.log_small, times), mean, log_variance
        )
        decoded = -_discretised(x_0, mean, log_variance / 2)
        return _bits(torch.where(times.view(-1, 1, 1, 1) == 0, decoded, divergence))


def prior(x_0: Tensor, alpha_bar: float) -> Tensor:
    """L_T: how far q(x_T | x_0) is from the noise that sampling begins with, (N,) bits/dim."""
    zero = torch.zeros((), device=x_0.device)
    log_variance = torch.full((), math.log(1 - alpha_bar), device=x_0.device)
    return _bits(_gaussian_kl(alpha_bar**0.5 * x_0, log_variance, zero, zero))


def _per_image(table: Tensor, times: Tensor) -> Tensor:
    return table[times].view(-1, 1, 1, 1)


def _bits(nats: Tensor) -> Tensor:
    return nats.flatten(1).mean(1) / math.log(2)


def _gaussian_kl(mean: Tensor, log_variance: Tensor, other: Tensor, other_log_variance: Tensor) -> Tensor:
    """KL(N(mean, …) || N(other, …)), value by value, in nats."""
    gap = log_variance - other_log_variance
    return 0.5 * (-1 - gap + gap.exp() + (mean - other) ** 2 * (-other_log_variance).exp())


def _discretised(x: Tensor, mean: Tensor, log_spread: Tensor) -> Tensor:
    """Log of the chance that N(mean, spread²) falls into the bin of each value, the rims' bins endless."""
    away, narrow = x - mean, (-log_spread).exp()
    side = -away.abs()  # the lower tail, where the difference of two small chances is not lost
    top = torch.special.log_ndtr((side + _HALF_BIN) * narrow)
    bottom = torch.special.log_ndtr((side - _HALF_BIN) * narrow)
    inside = top + torch.log(-torch.expm1((bottom - top).clamp(max=-1e-7)))
    up_to = torch.special.log_ndtr((away + _HALF_BIN) * narrow)
    beyond = torch.special.log_ndtr((_HALF_BIN - away) * narrow)
    return torch.where(x < -0.999, up_to, torch.where(x > 0.999, beyond, inside))
