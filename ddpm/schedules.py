"""Noise schedules: float64 tables of beta and alpha-bar over the timesteps 0 … T-1.

The tables are no network buffers, so that an average of weights can never average them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ddpm.config import DiffusionConfig

#: Largest beta of the cosine schedule (Nichol & Dhariwal 2021, section 3.2).
COSINE_MAX_BETA = 0.999
#: Offset s of the cosine schedule (there, eq. 17).
COSINE_OFFSET = 0.008
#: Where the sigmoid schedule begins; it ends at minus that (Jabri et al. 2022).
SIGMOID_END = 3.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """The forward process of T steps. Each table is float64 of shape (T,) on the CPU.

    Index t here is the paper's t+1: `betas[0]` is the paper's beta_1 (Ho et al. 2020, section 2).
    """

    betas: Tensor
    alphas_cumprod: Tensor  #: alpha-bar_t, the product of 1 - beta up to t (eq. 4)

    @property
    def timesteps(self) -> int:
        return len(self.betas)

    def until(self, timesteps: int) -> Schedule:
        """The first `timesteps` steps of the process alone."""
        return Schedule(self.betas[:timesteps], self.alphas_cumprod[:timesteps])

    def posterior_variance(self) -> Tensor:
        """beta-tilde_t (Ho et al. 2020, eq. 7), float64 (T,); 0 at t = 0, where the image is certain."""
        previous = torch.cat([torch.ones(1, dtype=torch.float64), self.alphas_cumprod[:-1]])
        return (1 - previous) / (1 - self.alphas_cumprod) * self.betas


def linear(timesteps: int, beta_start: float, beta_end: float) -> Tensor:
    """Betas in equal steps (Ho et al. 2020, section 4: 1e-4 to 0.02 over 1000), float64 (T,)."""
    return torch.linspace(beta_start, beta_end, timesteps, dtype=torch.float64)


def scaled_linear(timesteps: int, beta_start: float, beta_end: float) -> Tensor:
    """Square roots of beta in equal steps (Rombach et al. 2022, as released), float64 (T,)."""
    return torch.linspace(beta_start**0.5, beta_end**0.5, timesteps, dtype=torch.float64) ** 2


def cosine(timesteps: int) -> Tensor:
    """Betas whose alpha-bar follows a squared cosine (Nichol & Dhariwal 2021, eq. 17), float64 (T,)."""
    time = torch.arange(timesteps + 1, dtype=torch.float64) / timesteps
    alpha_bar = torch.cos((time + COSINE_OFFSET) / (1 + COSINE_OFFSET) * math.pi / 2) ** 2
    return (1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=COSINE_MAX_BETA)


def sigmoid(timesteps: int) -> Tensor:
    """Betas whose alpha-bar follows a sigmoid from 3 to -3 (Jabri et al. 2022, RIN, temperature 1), (T,).

    Capped like the cosine's; float64.
    """
    time = torch.arange(timesteps + 1, dtype=torch.float64) / timesteps
    curve = torch.sigmoid(SIGMOID_END - 2 * SIGMOID_END * time)
    alpha_bar = (curve - curve[-1]) / (curve[0] - curve[-1])
    return (1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=COSINE_MAX_BETA)


def zero_terminal_snr(betas: Tensor) -> Tensor:
    """Betas (T,) changed so that nothing of the image is left at T-1 (Lin et al. 2024, algorithm 1).

    sqrt(alpha-bar) is shifted to 0 at the end and stretched so that it stays what it was at the start.
    """
    signal = torch.cumprod(1 - betas, 0).sqrt()
    signal = (signal - signal[-1]) * signal[0] / (signal[0] - signal[-1])
    alpha_bar = signal**2
    return 1 - alpha_bar / torch.cat([torch.ones(1, dtype=torch.float64), alpha_bar[:-1]])


def from_betas(betas: Tensor) -> Schedule:
    """The schedule with these betas, float64 (T,), each in (0, 1]."""
    betas = betas.double()
    return Schedule(betas, torch.cumprod(1 - betas, 0))


def make(config: DiffusionConfig) -> Schedule:
    """The schedule that a configuration describes."""
    betas = _betas(config)
    return from_betas(zero_terminal_snr(betas) if config.zero_terminal_snr else betas)


def _betas(config: DiffusionConfig) -> Tensor:
    if config.schedule == "cosine":
        return cosine(config.timesteps)
    if config.schedule == "sigmoid":
        return sigmoid(config.timesteps)
    shape = linear if config.schedule == "linear" else scaled_linear
    return shape(config.timesteps, config.beta_start, config.beta_end)
