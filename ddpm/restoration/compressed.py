"""Compressed sensing: a few random measurements of the whole image (Candès & Wakin 2008)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ddpm.randomness import derive
from ddpm.restoration.degradation import Degradation


class CompressedSensing(Degradation):
    """The image with random signs, its cosine transform, and of that a random part.

    Signs spread every image over all coefficients; both are orthogonal, so U is a choice of rows and every
    singular value 0 or 1. (DDRM has a Walsh-Hadamard transform here, which needs powers of two.)
    """

    def __init__(self, shape: tuple[int, int, int], ratio: float, seed: int = 0) -> None:
        """ratio: measurements for each pixel value, in (0, 1]; at least one is made."""
        self.shape = shape
        size = math.prod(shape)
        count = max(1, round(ratio * size))
        generator = torch.Generator().manual_seed(derive(seed, "compressed sensing"))
        self._chosen = torch.randperm(size, generator=generator)[:count].sort().values
        self._signs = torch.randint(2, shape, generator=generator) * 2 - 1
        self._cosines = [_cosines(length) for length in shape]
        self.measured = (count,)
        self.singulars = torch.zeros(size, dtype=torch.float64).index_fill_(0, self._chosen, 1.0).view(shape)

    def to_spectral(self, x: Tensor) -> Tensor:
        c, h, w = (matrix.to(x) for matrix in self._cosines)
        return torch.einsum("dc,nchw->ndhw", c, h @ (self._signs.to(x) * x) @ w.T)

    def from_spectral(self, s: Tensor) -> Tensor:
        c, h, w = (matrix.to(s) for matrix in self._cosines)
        return self._signs.to(s) * torch.einsum("dc,ndhw->nchw", c, h.T @ s @ w)

    def measure(self, s: Tensor) -> Tensor:
        return s.flatten(1)[:, self._chosen.to(s.device)]

    def unmeasure(self, y: Tensor) -> Tensor:
        s = y.new_zeros((len(y), math.prod(self.shape)))
        return s.index_copy_(1, self._chosen.to(y.device), y).view(-1, *self.shape)


def _cosines(size: int) -> Tensor:
    """The orthonormal cosine transform (DCT-II), float64 (size,size)."""
    place, wave = torch.arange(size, dtype=torch.float64), torch.arange(size, dtype=torch.float64)[:, None]
    matrix = torch.cos(math.pi / size * (place + 0.5) * wave) * math.sqrt(2 / size)
    matrix[0] /= math.sqrt(2)
    return matrix
