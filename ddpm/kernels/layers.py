"""3 × 3 convolutions and normalisations of images, by the project's kernels where they apply."""

from __future__ import annotations

import ctypes
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ddpm.kernels import library

_VECTOR = 8  # floats: channels are multiples of it
_MOST = 4096  # channels


class Conv3x3(nn.Conv2d):
    """`nn.Conv2d(inputs, outputs, 3, padding=1)`: the same weights, names and result."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)
        self._kept: tuple[Tensor, int, Tensor] | None = None  # weights, their version, and prepared

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        if not _applies(x, self.in_channels, self.weight, self.bias):
            return super().forward(x)
        if torch.is_grad_enabled() or self.training:
            result: Tensor = _Convolution.apply(x, self.weight, self.bias)
            return result
        assert self.bias is not None
        return _convolve(_laid(x), self._ready(), self.bias.contiguous(), self.out_channels)

    def train(self, mode: bool = True) -> Self:
        """Between training and drawing weights change unnoticed: fused optimisers count no version up."""
        self._kept = None
        return super().train(mode)

    def _ready(self) -> Tensor:
        """The prepared weights, made anew only when they have changed: many steps draw with the same.

        Only in eval mode. Held beside them are the weights they are of, so that no others can come to lie in
        their place.
        """
        weight, kept = self.weight.detach(), self._kept
        if kept is None or kept[0].data_ptr() != weight.data_ptr() or kept[1] != weight._version:
            kept = self._kept = weight, weight._version, _prepared(weight)
        return kept[2]


def normalised(norm: nn.GroupNorm, x: Tensor, shift: Tensor | None = None, *, silu: bool = False) -> Tensor:
    """The normalisation of x (N, C, H, W) plus shift (N, C), if given; then SiLU, if asked for."""
    fits = shift is None or (
        shift.shape == x.shape[:2] and shift.dtype == x.dtype and shift.device == x.device
    )
    if fits and _applies(x, norm.num_channels, norm.weight, norm.bias):
        result: Tensor = _Normalisation.apply(
            x, shift, norm.weight, norm.bias, norm.num_groups, norm.eps, silu
        )
        return result
    x = norm(x if shift is None else x + shift[:, :, None, None])
    return F.silu(x) if silu else x


def _applies(x: Tensor, channels: int, weight: Tensor, bias: Tensor | None) -> bool:
    """Whether a kernel may have x (N, C, H, W), weights whose first dimension is the channels that come out,
    and a bias. A kernel checks nothing: what is not exactly as it reads it, torch computes or refuses."""
    return (
        x.dim() == 4
        and x.shape[1] == channels
        and bias is not None
        and all(t.device.type == "cpu" and t.dtype == torch.float32 for t in (x, weight, bias))
        and all(c % _VECTOR == 0 and c <= _MOST for c in (channels, len(weight)))
        and x.numel() > 0
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and library.found().library is not None
    )


def _kernels() -> ctypes.CDLL:
    kernels = library.found().library
    assert kernels is not None, "asked for where they do not apply"
    return kernels


def _laid(x: Tensor) -> Tensor:
    """(N, H, W, C) in memory, as the kernels read."""
    return x.contiguous(memory_format=torch.channels_last)


def _like(x: Tensor, channels: int) -> Tensor:
    count, _, height, width = x.shape
    return torch.empty(
        (count, channels, height, width), dtype=torch.float32, memory_format=torch.channels_last
    )


def _convolve(x: Tensor, prepared: Tensor, bias: Tensor | None, outputs: int) -> Tensor:
    """By prepared weights (see below)."""
    count, inputs, height, width = x.shape
    y = _like(x, outputs)
    _kernels().winograd_convolve(
        *_addresses(x, prepared, bias, y), count, height, width, inputs, outputs, torch.get_num_threads()
    )
    return y


def _prepared(weight: Tensor, *, back: bool = False) -> Tensor:
    """Weights (outputs, inputs, 3, 3) as Winograd's products take them: float32 (16 · inputs · outputs).

    back: for the gradient to x, the convolution by weights turned by 180°, inputs and outputs exchanged.
    """
    (outputs, inputs), (k, c, row, column) = weight.shape[:2], weight.stride()
    address, found = weight.data_ptr(), torch.empty(16 * inputs * outputs)
    if back:
        address += 2 * (row + column) * weight.element_size()
        outputs, inputs, k, c, row, column = inputs, outputs, c, k, -row, -column
    threads = torch.get_num_threads()
    _kernels().winograd_prepare(address, found.data_ptr(), inputs, outputs, k, c, row, column, threads)
    return found


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        x, weight, bias = _laid(x), weight.detach(), bias.detach().contiguous()
        ctx.save_for_backward(x, weight)
        return _convolve(x, _prepared(weight), bias, len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        dy, dx, dw, dbias = _laid(dy), None, None, None
        if ctx.needs_input_grad[0]:
            dx = _convolve(dy, _prepared(weight, back=True), None, x.shape[1])
        if ctx.needs_input_grad[1] or ctx.needs_input_grad[2]:
            dw, dbias = _gradients(x, dy, weight)
        return dx, dw, dbias


def _gradients(x: Tensor, dy: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    (count, inputs, height, width), outputs, threads = x.shape, dy.shape[1], torch.get_num_threads()
    dw, dbias = torch.empty_like(weight), torch.empty(outputs)
    work = torch.empty(threads * (16 * inputs + 1) * outputs)
    _kernels().winograd_gradients(
        x.data_ptr(), dy.data_ptr(), dw.data_ptr(), dbias.data_ptr(), work.data_ptr(), count, height, width,
        inputs, outputs, *dw.stride(), threads,
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
        x, shift = _laid(x), None if shift is None else shift.detach().contiguous()
        gamma, beta = gamma.detach().contiguous(), beta.detach().contiguous()
        count, channels, height, width = x.shape
        y, mean, scale = _like(x, channels), torch.empty(count, groups), torch.empty(count, groups)
        _kernels().norm_forward(
            *_addresses(x, shift, gamma, beta, y, mean, scale), count, height * width, channels, groups, eps,
            silu, torch.get_num_threads(),
        )  # fmt: skip
        ctx.save_for_backward(x, shift, gamma, beta, mean, scale)
        ctx.silu = silu
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, shift, gamma, beta, mean, scale = ctx.saved_tensors
        count, channels, height, width = x.shape
        dy = _laid(dy)  # named, so that its memory outlives the call
        dx, dshift = _like(x, channels), None if shift is None else torch.empty(count, channels)
        shares = torch.empty(count, 2, channels)  # of dgamma and dbeta, an image's each
        _kernels().norm_backward(
            *_addresses(x, shift, gamma, beta, dy, mean, scale, dx, dshift, shares), count, height * width,
            channels, mean.shape[1], ctx.silu, torch.get_num_threads(),
        )  # fmt: skip
        dgamma, dbeta = shares.sum(0)
        return dx, dshift, dgamma, dbeta, None, None, None


def _addresses(*tensors: Tensor | None) -> list[int | None]:
    return [None if tensor is None else tensor.data_ptr() for tensor in tensors]
