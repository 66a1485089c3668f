"""Moving averages of a network's weights."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from ddpm import averages, power_ema
from ddpm.checkpoint import EMA as MAIN
from ddpm.config_training import TrainingConfig


def warmed_up(decay: float, step: int) -> float:
    """The decay at optimiser step `step` ≥ 1: from 2/11 up to `decay`, so that early weights fade soon."""
    return min(decay, (1 + step) / (10 + step))


class EMA:
    """`network` is the average; parameters are averaged, buffers copied.

    decay: of the optimiser steps 1, 2, 3, …
    """

    def __init__(self, source: nn.Module, decay: Callable[[int], float]) -> None:
        self.network = copy.deepcopy(source).eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, source: nn.Module, step: int) -> None:
        """Takes in the source's weights after optimiser step `step` (counted from 1)."""
        means: list[Tensor] = list(self.network.parameters())
        currents: list[Tensor] = list(source.parameters())
        torch._foreach_lerp_(means, currents, 1 - self._decay(step))
        for mean, current in zip(self.network.buffers(), source.buffers(), strict=True):
            mean.copy_(current)


def all_of(source: nn.Module, training: TrainingConfig) -> dict[str, EMA]:
    """All averages that a training keeps, by their file in a checkpoint; the main one first."""
    found = {MAIN: EMA(source, partial(warmed_up, training.ema_decay))}
    for decay in training.ema_decays:
        found[averages.file_of(decay)] = EMA(source, partial(warmed_up, decay))
    for length in training.ema_lengths:
        found[averages.file_of(length)] = EMA(source, partial(power_ema.decay, power_ema.exponent(length)))
    return found
