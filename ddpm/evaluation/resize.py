"""How pixels become the network's input: the two conventions that published numbers follow.

They differ in where a pixel of the enlarged image lies in the small one, and in the scaling. A number says
nothing without its convention: the same images have another FID in each.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

Convention = Literal["tensorflow", "pytorch-fid"]
CONVENTIONS: tuple[Convention, ...] = get_args(Convention)


def prepare(images: Tensor, size: int, convention: Convention) -> Tensor:
    """uint8 (N,C,H,W) to float32 (N,C,size,size), some [-1, 1], by bilinear interpolation.

    tensorflow: TensorFlow 1's grid, whose corner pixels lie on the corner, then (v - 128) / 128: what the
    original code, and so nearly every paper, computes. pytorch-fid: half-pixel centres, then
    (v - 127.5) / 127.5. Neither smooths when it shrinks.
    """
    x = _resize(images.float(), size, half_pixel=convention == "pytorch-fid")
    return (x - 127.5) / 127.5 if convention == "pytorch-fid" else (x - 128) / 128


def _resize(x: Tensor, size: int, *, half_pixel: bool) -> Tensor:
    for dim in (-1, -2):  # columns first, as TensorFlow does
        low, high, weight = _grid(x.shape[dim], size, half_pixel, x.device)
        weight = weight if dim == -1 else weight[:, None]
        x = torch.lerp(x.index_select(dim, low), x.index_select(dim, high), weight)
    return x


def _grid(old: int, new: int, half_pixel: bool, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """For each new pixel its two old neighbours, and how near it lies to the second."""
    place = torch.arange(new, dtype=torch.float32, device=device)
    scale = old / new
    place = ((place + 0.5) * scale - 0.5).clamp(min=0) if half_pixel else place * scale
    low = place.long().clamp(max=old - 1)
    return low, (low + 1).clamp(max=old - 1), place - low
