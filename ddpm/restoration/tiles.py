"""Images of any size for a network of one: larger ones in overlapping tiles, smaller ones padded."""

from __future__ import annotations

import torch
from torch import Tensor

from ddpm.samplers.steps import Denoised, Denoiser

#: Share of a tile that it has in common with the next, at least.
OVERLAP = 0.25


def tiled(denoise: Denoiser, size: int, *, overlap: float = OVERLAP, batch_size: int = 64) -> Denoiser:
    """A denoiser of images (N,C,H,W) with H, W >= size, from one of size×size.

    Tiles overlap by at least that share, the last ones shifted inward; at most batch_size are computed at
    once. Where they overlap they are averaged, with weights that fall towards their rims (MultiDiffusion,
    Bar-Tal et al. 2023, eq. 5, has equal ones): no seam, and every step sees the whole image as one. An image
    of the network's size is one plain call.
    """
    step = _step(size, overlap)
    ramp = _ramp(size, size - step)

    def denoise_tiles(x: Tensor, time: int) -> Denoised:
        height, width = x.shape[-2:]
        if (height, width) == (size, size):
            return denoise(x, time)
        weights = (ramp[:, None] * ramp).to(x)
        places = [
            (i, top, left)
            for i in range(len(x))
            for top in _starts(height, size, step)
            for left in _starts(width, size, step)
        ]
        total, weight = torch.zeros_like(x), torch.zeros_like(x[:1, :1])
        for _, top, left in places[: len(places) // len(x)]:
            weight[..., top : top + size, left : left + size] += weights
        for start in range(0, len(places), batch_size):
            part = places[start : start + batch_size]
            tiles = torch.stack([x[i, :, top : top + size, left : left + size] for i, top, left in part])
            found = denoise(tiles.contiguous(memory_format=torch.channels_last), time).x_0
            for (i, top, left), tile in zip(part, found, strict=True):
                total[i, :, top : top + size, left : left + size] += weights * tile
        return Denoised(total / weight)

    return denoise_tiles


def count(height: int, width: int, size: int, *, overlap: float = OVERLAP) -> int:
    """Tiles that `tiled` makes of an image."""
    step = _step(size, overlap)
    return len(_starts(height, size, step)) * len(_starts(width, size, step))


def reflected(x: Tensor, height: int, width: int) -> Tensor:
    """x (N,C,h,w), h <= height and w <= width, at its top left, mirrored on below and to the right: as often
    as it takes, the rim's pixels twice."""
    return x[..., _mirror(x.shape[-2], height), :][..., _mirror(x.shape[-1], width)]


def _mirror(size: int, wanted: int) -> Tensor:
    places = torch.arange(wanted).remainder(2 * size)
    return torch.where(places < size, places, 2 * size - 1 - places)


def _step(size: int, overlap: float) -> int:
    return max(1, round(size * (1 - overlap)))


def _starts(length: int, size: int, step: int) -> list[int]:
    return [*range(0, length - size, step), length - size]


def _ramp(size: int, overlap: int) -> Tensor:
    """Weights (size,) that rise over `overlap` pixels at both ends, never to nothing; float32."""
    from_rim = torch.minimum(torch.arange(size), torch.arange(size - 1, -1, -1)).float() + 0.5
    return (from_rim / max(overlap, 1)).clamp(max=1.0)
