"""3 × 3 convolutions and normalisations of images, by the project's kernels where they apply."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ddpm.kernels import calling
from ddpm.kernels.prepared import Prepared


class Conv3x3(Prepared, nn.Conv2d):
    """`nn.Conv2d(inputs, outputs, 3, padding=1)`: the same weights, names and result."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        halves = calling.multiplies_halves()
        if not _applies(x, self.in_channels, self.weight, self.bias):
            return self._padded(x) if halves and x.dim() == 4 else super().forward(x)
        kept = self.prepared(_FOR_HALVES if halves else _FOR_FLOATS, halves=halves)
        if kept is None:
            return calling.run(_Convolution, x, self.weight, self.bias, halves)
        assert self.bias is not None
        return _convolve(calling.laid(x), kept, self.bias.contiguous(), self.out_channels, halves=halves)

    def _padded(self, x: Tensor) -> Tensor:
        """Of channels that are not in eights (an image's own), filled up with zeros where that is enough."""
        more_in, more_out = -self.in_channels % calling.VECTOR, -self.out_channels % calling.VECTOR
        assert self.bias is not None
        y, bias = F.pad(x, (0, 0, 0, 0, 0, more_in)), F.pad(self.bias, (0, more_out))
        weight = F.pad(self.weight, (0, 0, 0, 0, 0, more_in, 0, more_out))
        if x.shape[1] != self.in_channels or not _applies(y, self.in_channels + more_in, weight, bias):
            return super().forward(x)
        return calling.run(_Convolution, y, weight, bias, True)[:, : self.out_channels]


def normalised(norm: nn.GroupNorm, x: Tensor, shift: Tensor | None = None, *, silu: bool = False) -> Tensor:
    """The normalisation of x (N, C, H, W) plus shift (N, C), if given; then SiLU, if asked for."""
    fits = shift is None or (
        shift.shape == x.shape[:2] and shift.dtype == x.dtype and shift.device == x.device
    )
    if fits and _applies(x, norm.num_channels, norm.weight, norm.bias):
        told = x, shift, norm.weight, norm.bias, norm.num_groups, norm.eps, silu
        return calling.run(_Normalisation, *told)
    x = norm(x if shift is None else x + shift[:, :, None, None])
    return F.silu(x) if silu else x


def _applies(x: Tensor, channels: int, weight: Tensor, bias: Tensor | None) -> bool:
    """Whether a kernel may have x as (N, channels, H, W)."""
    return x.dim() == 4 and x.shape[1] == channels and calling.applies(x, channels, weight, bias)


def _convolve(x: Tensor, prepared: Tensor, bias: Tensor | None, outputs: int, *, halves: bool) -> Tensor:
    """By prepared weights of that kind (see below)."""
    count, inputs, height, width = x.shape
    y = calling.like(x, outputs)
    calling.kernels().winograd_convolve(
        *calling.addresses(x, prepared, bias, y), count, height, width, inputs, outputs, halves,
        torch.get_num_threads(),
    )  # fmt: skip
    return y


def _prepared(weight: Tensor, *, halves: bool, back: bool = False) -> Tensor:
    """Weights (outputs, inputs, 3, 3) as Winograd's products take them: 16 · inputs · outputs numbers.

    halves: bfloat16, two in the place of a float32.
    back: for the gradient to x, the convolution by weights turned by 180°, inputs and outputs exchanged.
    """
    (outputs, inputs), (k, c, row, column) = weight.shape[:2], weight.stride()
    address, found = weight.data_ptr(), calling.empty(16 * inputs * outputs // (1 + halves))
    if back:
        address += 2 * (row + column) * weight.element_size()
        outputs, inputs, k, c, row, column = inputs, outputs, c, k, -row, -column
    threads = torch.get_num_threads()
    calling.kernels().winograd_prepare(
        address, found.data_ptr(), inputs, outputs, k, c, row, column, halves, threads
    )
    return found


_FOR_HALVES, _FOR_FLOATS = partial(_prepared, halves=True), partial(_prepared, halves=False)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, halves: bool) -> Tensor:
        x, bias = calling.laid(x), bias.contiguous()
        ctx.save_for_backward(x, weight)
        ctx.halves = halves
        return _convolve(x, _prepared(weight, halves=halves), bias, len(weight), halves=halves)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        dy, dx, dw, dbias = calling.laid(dy), None, None, None
        if ctx.needs_input_grad[0]:
            prepared = _prepared(weight, halves=ctx.halves, back=True)
            dx = _convolve(dy, prepared, None, x.shape[1], halves=ctx.halves)
        if ctx.needs_input_grad[1] or ctx.needs_input_grad[2]:
            dw, dbias = _gradients(x, dy, weight, ctx.halves)
        return dx, dw, dbias, None


def _gradients(x: Tensor, dy: Tensor, weight: Tensor, halves: bool) -> tuple[Tensor, Tensor]:
    (count, inputs, height, width), outputs, threads = x.shape, dy.shape[1], torch.get_num_threads()
    dw, dbias = torch.empty_like(weight), calling.empty(outputs)
    work = calling.empty(threads * (16 * inputs + 1) * outputs)
    calling.kernels().winograd_gradients(
        x.data_ptr(), dy.data_ptr(), dw.data_ptr(), dbias.data_ptr(), work.data_ptr(), count, height, width,
        inputs, outputs, *dw.stride(), halves, threads,
    )  # fmt: skip
    return dw, dbias


class _Normalisation(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        shift: Tensor | None,
        gamma: Tensor,
        beta: Tensor,
        groups: int,
        eps: float,
        silu: bool,
    ) -> Tensor:
        x, shift = calling.laid(x), None if shift is None else shift.contiguous()
        gamma, beta = gamma.contiguous(), beta.contiguous()
        count, channels, height, width = x.shape
        y, mean, scale = calling.like(x, channels), None, None
        if not calling.forgets(ctx):
            mean, scale = calling.empty(count, groups), calling.empty(count, groups)
        calling.kernels().norm_forward(
            *calling.addresses(x, shift, gamma, beta, y, mean, scale), count, height * width, channels,
            groups, eps, silu, torch.get_num_threads(),
        )  # fmt: skip
        ctx.save_for_backward(x, shift, gamma, beta, mean, scale)
        ctx.silu = silu
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, shift, gamma, beta, mean, scale = ctx.saved_tensors
        count, channels, height, width = x.shape
        dy = calling.laid(dy)  # named, so that its memory outlives the call
        dx, dshift = calling.like(x, channels), None if shift is None else calling.empty(count, channels)
        shares = calling.empty(count, 2, channels)  # of dgamma and dbeta, an image's each
        calling.kernels().norm_backward(
            *calling.addresses(x, shift, gamma, beta, dy, mean, scale, dx, dshift, shares), count,
            height * width, channels, mean.shape[1], ctx.silu, torch.get_num_threads(),
        )  # fmt: skip
        dgamma, dbeta = shares.sum(0)
        return dx, dshift, dgamma, dbeta, None, None, None
