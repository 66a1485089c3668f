"""Linear maps of many rows, as 1 × 1 convolutions and attention's projections, with products of bfloat16.

Where those are not asked for, torch's own are taken: of float32 numbers they are as fast.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ddpm.kernels import calling
from ddpm.kernels.prepared import Prepared


class Linear(Prepared, nn.Linear):
    """`nn.Linear`: the same weights, names and result."""

    def forward(self, x: Tensor) -> Tensor:
        """(…, inputs) to (…, outputs)."""
        if not applies(x, self.in_features, self.weight, self.bias):
            return super().forward(x)
        kept = self.prepared(prepared, halves=True)
        return mapped(x, self.weight, self.bias) if kept is None else drawn(x, kept, self.bias)


class Conv1x1(Prepared, nn.Conv2d):
    """`nn.Conv2d(inputs, outputs, 1)`: the same weights, names and result."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        pixels = x.movedim(1, -1)
        if x.dim() != 4 or not applies(pixels, self.in_channels, self.weight, self.bias):
            return super().forward(x)
        kept = self.prepared(_flat, halves=True)
        if kept is not None:
            return drawn(pixels, kept, self.bias).movedim(-1, 1)
        return mapped(pixels, self.weight.flatten(1), self.bias).movedim(-1, 1)


def applies(x: Tensor, inputs: int, weight: Tensor, bias: Tensor | None) -> bool:
    """Whether x (…, inputs) is mapped by the kernels."""
    wanted = calling.multiplies_halves()
    return wanted and x.shape[-1] == inputs and calling.applies(x, inputs, weight, bias)


def mapped(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x (…, inputs) by weights (outputs, inputs) and a bias (outputs), where the kernels apply."""
    rows = x.reshape(-1, x.shape[-1])
    return calling.run(_Linear, rows, weight, bias).reshape(*x.shape[:-1], -1)


def drawn(x: Tensor, kept: Tensor, bias: Tensor | None) -> Tensor:
    """The same by weights that are `prepared`, without gradients."""
    rows = x.reshape(-1, x.shape[-1]).contiguous()
    assert bias is not None
    return _product(rows, kept, bias.contiguous(), len(bias)).reshape(*x.shape[:-1], -1)


def prepared(weight: Tensor) -> Tensor:
    """Weights (outputs, inputs) as the products take them."""
    outputs, inputs = weight.shape
    found = calling.empty(inputs * outputs // 2)
    calling.kernels().linear_prepare(*calling.addresses(weight, found), inputs, outputs, *weight.stride())
    return found


def _flat(weight: Tensor) -> Tensor:
    return prepared(weight.flatten(1))


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        x, bias = x.contiguous(), bias.contiguous()
        ctx.save_for_backward(x, weight)
        return _product(x, prepared(weight), bias, len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        dy, dx, dw, dbias = dy.contiguous(), None, None, None
        if ctx.needs_input_grad[0]:
            dx = _product(dy, prepared(weight.mT), None, x.shape[1])
        if ctx.needs_input_grad[1] or ctx.needs_input_grad[2]:
            dw, dbias = _gradients(x, dy)
        return dx, dw, dbias


def _product(x: Tensor, kept: Tensor, bias: Tensor | None, outputs: int) -> Tensor:
    rows, inputs = x.shape
    y = calling.empty(rows, outputs)
    calling.kernels().linear_apply(
        *calling.addresses(x, kept, bias, y), rows, inputs, outputs, torch.get_num_threads()
    )
    return y


def _gradients(x: Tensor, dy: Tensor) -> tuple[Tensor, Tensor]:
    (rows, inputs), outputs, threads = x.shape, dy.shape[1], torch.get_num_threads()
    dw, dbias = calling.empty(outputs, inputs), calling.empty(outputs)
    work = calling.empty(threads * (inputs + 1) * outputs)
    calling.kernels().linear_gradients(
        *calling.addresses(x, dy, dw, dbias, work), rows, inputs, outputs, threads
    )
    return dw, dbias
