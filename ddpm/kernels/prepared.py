"""Weights as the kernels multiply them, kept while images are drawn: many steps ask with the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn


class _Kept(NamedTuple):
    weight: Tensor  #: those it is of: held, so that no others can come to lie in their place
    version: int
    halves: bool
    prepared: Tensor


class Prepared(nn.Module):
    """A layer with a `weight`, which it may have prepared."""

    weight: Tensor
    _kept: _Kept | None = None

    def prepared(self, make: Callable[[Tensor], Tensor], *, halves: bool) -> Tensor | None:
        """`make` of the weight, made anew only when it has changed; None in training, and where gradients are
        wanted: there it changes with every step."""
        if torch.is_grad_enabled() or self.training:
            return None
        weight, kept = self.weight, self._kept
        if (
            kept is None
            or kept.weight.data_ptr() != weight.data_ptr()
            or (kept.version, kept.halves) != (weight._version, halves)
        ):
            weight = weight.detach()
            kept = self._kept = _Kept(weight, weight._version, halves, make(weight))
        return kept.prepared

    def train(self, mode: bool = True) -> Self:
        """Between training and drawing weights change unnoticed: fused optimisers count no version up."""
        self._kept = None
        return super().train(mode)

    def __getstate__(self) -> dict[str, Any]:
        """Copies and files are without."""
        return {**super().__getstate__(), "_kept": None}
