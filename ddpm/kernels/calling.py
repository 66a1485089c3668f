"""How the kernels are called: where they apply, by which numbers they multiply, how memory must lie."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

from ddpm.kernels import library

_VECTOR = 8  # floats: channels are multiples of it
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
    there = [tensor for tensor in others if tensor is not None]
    return (
        len(there) == len(others)
        and all(t.device.type == "cpu" and t.dtype == torch.float32 for t in (x, *there))
        and all(c % _VECTOR == 0 and c <= _MOST for c in (channels, *map(len, there)))
        and x.numel() > 0
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and library.found().library is not None
    )


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
        (count, channels, height, width), dtype=torch.float32, memory_format=torch.channels_last
    )


def addresses(*tensors: Tensor | None) -> list[int | None]:
    return [None if tensor is None else tensor.data_ptr() for tensor in tensors]
