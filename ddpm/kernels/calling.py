"""How the kernels are called: where they apply, by which numbers they multiply, how memory must lie."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from ddpm.kernels import library

VECTOR = 8  # floats: channels are multiples of it
_MOST = 4096  # channels
_HALVES = ContextVar("halves", default=False)


@contextmanager
def halves(wanted: bool = True) -> Iterator[None]:
    """Has the kernels multiply bfloat16, here and in the gradients of what is computed here.

    What goes into a layer and comes out of it, sums, and everything else of a network stay float32.
    """
    before = _HALVES.set(wanted)
    try:
        yield
    finally:
        _HALVES.reset(before)


def multiplies_halves() -> bool:
    """Whether `halves` is asked for."""
    return _HALVES.get()


def applies(x: Tensor, channels: int, *others: Tensor | None) -> bool:
    """Whether a kernel may have x and what goes with it; None is what it cannot do without.

    channels: of x; the first dimension of the others is that of the channels that come out.
    A kernel checks nothing: what is not exactly as it reads it, torch computes or refuses.
    """
    if torch.compiler.is_compiling() or torch.is_autocast_enabled("cpu") or library.found().library is None:
        return False
    if not _readable(x) or channels % VECTOR or channels > _MOST or not x.numel():
        return False
    for other in others:  # a loop, as it is asked more than a hundred times a step
        if other is None or not _readable(other) or other.shape[0] % VECTOR or other.shape[0] > _MOST:
            return False
    return True


def _readable(tensor: Tensor) -> bool:
    return tensor.is_cpu and tensor.dtype is torch.float32


class _Forgetting:
    """What a function's forward pass may keep, and nobody asks for."""

    def save_for_backward(self, *tensors: Tensor | None) -> None: ...


def forgets(ctx: Any) -> bool:
    """Whether what a forward pass saves in `ctx` is for nothing."""
    return isinstance(ctx, _Forgetting)


def run(function: type[Function], *arguments: Any) -> Tensor:
    """`function.apply`; under `no_grad` autograd is not told, which takes its time."""
    if torch.is_grad_enabled():
        result: Tensor = function.apply(*arguments)
        return result
    return function.forward(_Forgetting(), *arguments)


def kernels() -> ctypes.CDLL:
    kernels = library.found().library
    assert kernels is not None, "asked for where they do not apply"
    return kernels


def laid(x: Tensor) -> Tensor:
    """(N, H, W, C) in memory, as the kernels read."""
    return x.contiguous(memory_format=torch.channels_last)


def like(x: Tensor, channels: int) -> Tensor:
    count, _, height, width = x.shape
    return torch.empty(
        (count, channels, height, width), dtype=torch.float32, device="cpu", memory_format=torch.channels_last
    )


def empty(*shape: int) -> Tensor:
    """As the kernels read and write, whatever the defaults are."""
    return torch.empty(shape, dtype=torch.float32, device="cpu")


def addresses(*tensors: Tensor | None) -> list[int | None]:
    return [None if tensor is None else tensor.data_ptr() for tensor in tensors]
