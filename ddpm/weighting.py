"""How much each timestep counts in L_simple: plainly, by min-SNR, or by P2."""

from __future__ import annotations

import torch
from torch import Tensor

from ddpm.config import Prediction, TrainingConfig
from ddpm.schedules import Schedule


def weights(training: TrainingConfig, prediction: Prediction, schedule: Schedule) -> Tensor | None:
    """float64 (T,), of the squared error of what is predicted; None where all count alike.

    In terms of the error of the image they are min(SNR, gamma) (Hang et al. 2023) and SNR / (1 + SNR)^gamma
    (Choi et al. 2022, P2, k = 1); the error of the noise is SNR times as large, that of v SNR + 1 times.
    """
    if training.weighting == "none":
        return None
    gamma = training.resolved_gamma
    snr = schedule.alphas_cumprod / (1 - schedule.alphas_cumprod)
    of_image = snr.clamp(max=gamma) if training.weighting == "min_snr" else snr / (1 + snr) ** gamma
    if prediction == "epsilon":
        return of_image / snr
    return of_image / (snr + 1) if prediction == "v" else of_image


def weighted(errors: Tensor, table: Tensor | None, times: Tensor) -> Tensor:
    """The mean of each image's squared errors (N,C,H,W) by its timestep's weight: (N,)."""
    means = errors.flatten(1).mean(1)
    return means if table is None else means * table[times]


def on(table: Tensor | None, device: torch.device) -> Tensor | None:
    """The table in float32 on a device."""
    return None if table is None else table.float().to(device)
