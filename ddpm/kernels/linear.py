"""Linear maps of many rows, as 1 × 1 convolutions and attention's projections, with products of bfloat16.

Where those are not asked for, torch's own are taken: of float32 numbers they are as fast.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ddpm.kernels import calling


class Linear(nn.Linear):
    """`nn.Linear`: the same weights, names and result."""

    def forward(self, x: Tensor) -> Tensor:
        """(…, inputs) to (…, outputs)."""
        if not applies(x, self.in_features, self.weight, self.bias):
            return super().forward(x)
        return mapped(x, self.weight, self.bias)


class Conv1x1(nn.Conv2d):
    """`nn.Conv2d(inputs, outputs, 1)`: the same weights, names and result."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        pixels = x.movedim(1, -1)
        if x.dim() != 4 or not applies(pixels, self.in_channels, self.weight, self.bias):
            return super().forward(x)
        return mapped(pixels, self.weight.flatten(1), self.bias).movedim(-1, 1)


def applies(x: Tensor, inputs: int, weight: Tensor, bias: Tensor | None) -> bool:
    """Whether x (…, inputs) is mapped by the kernels."""
    wanted = calling.multiplies_halves()
    return wanted and x.shape[-1] == inputs and calling.applies(x, inputs, weight, bias)


def mapped(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x (…, inputs) by weights (outputs, inputs) and a bias (outputs), where the kernels apply."""
    rows = x.reshape(-1, x.shape[-1])
    return calling.run(_Linear, rows, weight, bias).reshape(*x.shape[:-1], -1)


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        x, bias = x.contiguous(), bias.contiguous()
        ctx.save_for_backward(x, weight)
        return _product(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        dy, dx, dw, dbias = dy.contiguous(), None, None, None
        if ctx.needs_input_grad[0]:
            dx = _product(dy, weight.mT, None)
        if ctx.needs_input_grad[1] or ctx.needs_input_grad[2]:
            dw, dbias = _gradients(x, dy)
        return dx, dw, dbias


def _product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    (rows, inputs), outputs = x.shape, len(weight)
    y, work = calling.empty(rows, outputs), calling.empty(inputs * outputs // 2)
    calling.kernels().linear_apply(
        *calling.addresses(x, weight, bias, y, work), rows, inputs, outputs, *weight.stride(),
        torch.get_num_threads(),
    )  # fmt: skip
    return y


def _gradients(x: Tensor, dy: Tensor) -> tuple[Tensor, Tensor]:
    (rows, inputs), outputs, threads = x.shape, dy.shape[1], torch.get_num_threads()
    dw, dbias = calling.empty(outputs, inputs), calling.empty(outputs)
    work = calling.empty(threads * (inputs + 1) * outputs)
    calling.kernels().linear_gradients(
        *calling.addresses(x, dy, dw, dbias, work), rows, inputs, outputs, threads
    )
    return dw, dbias
