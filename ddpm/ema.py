"""An exponential moving average of a network's weights, with warm-up."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


def warmed_up(decay: float, step: int) -> float:
    """The decay at optimiser step `step` ≥ 1: from 2/11 up to `decay`, so that early weights fade soon."""
    return min(decay, (1 + step) / (10 + step))


class EMA:
    """`network` is the average; parameters are averaged, buffers copied."""

    def __init__(self, source: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(source).eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, source: nn.Module, step: int) -> None:
        """Takes in the source's weights after optimiser step `step` (counted from 1)."""
        averages: list[Tensor] = list(self.network.parameters())
        currents: list[Tensor] = list(source.parameters())
        torch._foreach_lerp_(averages, currents, 1 - warmed_up(self._decay, step))
        for average, current in zip(self.network.buffers(), source.buffers(), strict=True):
            average.copy_(current)
