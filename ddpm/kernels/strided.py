"""The convolution that halves a U-Net's images, as a linear map of gathered pixels where `linear` applies."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ddpm.kernels import calling, linear
from ddpm.kernels.prepared import Prepared

_TAPS = [(row, column) for row in range(3) for column in range(3)]


class HalvingConv(Prepared, nn.Conv2d):
    """`nn.Conv2d(channels, channels, 3, stride=2)` of x padded below and at the right."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) to (N, channels, H / 2, W / 2)."""
        padded = F.pad(x, (0, 1, 0, 1))
        if x.dim() != 4 or not linear.applies(
            padded.movedim(1, -1), self.in_channels, self.weight, self.bias
        ):
            return super().forward(padded)
        rows = calling.run(_Gathered, padded.movedim(1, -1))
        kept = self.prepared(_prepared, halves=True)
        if kept is not None:
            return linear.drawn(rows, kept, self.bias).movedim(-1, 1)
        return linear.mapped(rows, _flat(self.weight), self.bias).movedim(-1, 1)


def _flat(weight: Tensor) -> Tensor:
    """Tap by tap, as the rows."""
    return weight.movedim(1, -1).flatten(1)


def _prepared(weight: Tensor) -> Tensor:
    return linear.prepared(_flat(weight))


class _Gathered(torch.autograd.Function):
    """The nine pixels of every other pixel of x (N, H + 1, W + 1, C): (N, H / 2, W / 2, 9 C), tap by tap."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.shape = x.shape
        return torch.stack([_seen(x, *tap) for tap in _TAPS], dim=3).flatten(3)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, drows: Tensor) -> Tensor:
        dx = drows.new_zeros(ctx.shape)
        for tap, part in zip(_TAPS, drows.unflatten(3, (len(_TAPS), -1)).unbind(3), strict=True):
            _seen(dx, *tap).add_(part)
        return dx


def _seen(x: Tensor, row: int, column: int) -> Tensor:
    """What a tap sees of each output pixel, in (N, H + 1, W + 1, C)."""
    down, across = (x.shape[1] - 1) // 2, (x.shape[2] - 1) // 2
    return x[:, row : row + 2 * down - 1 : 2, column : column + 2 * across - 1 : 2]
