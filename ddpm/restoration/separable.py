"""Degradations that act on columns and on rows one after the other: blur, shrinking.

H = rows ⊗ columns, so its decomposition is that of two small matrices (DDRM, appendix D.3, D.4).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ddpm.restoration.degradation import Degradation


class Separable(Degradation):
    """y = A x Bᵀ for every channel: A (H',H) mixes the rows of the image, B (W',W) its columns.

    float64 matrices with H' <= H and W' <= W. Singular values below `least` of the largest count as 0.
    """

    def __init__(self, channels: int, rows: Tensor, columns: Tensor, least: float = 1e-6) -> None:
        self.shape = (channels, rows.shape[1], columns.shape[1])
        self.measured = (channels, rows.shape[0], columns.shape[0])
        self._rows, self._columns = _Factor(rows), _Factor(columns)
        singulars = self._rows.singulars[:, None] * self._columns.singulars
        self.singulars = singulars.where(singulars > least * singulars.max(), 0.0)[None]

    def to_spectral(self, x: Tensor) -> Tensor:
        return self._rows.v.T.to(x) @ x @ self._columns.v.to(x)

    def from_spectral(self, s: Tensor) -> Tensor:
        return self._rows.v.to(s) @ s @ self._columns.v.T.to(s)

    def measure(self, s: Tensor) -> Tensor:
        _, height, width = self.measured
        seen = (s * (self._singulars(s) > 0))[..., :height, :width]
        return self._rows.u.to(s) @ seen @ self._columns.u.T.to(s)

    def unmeasure(self, y: Tensor) -> Tensor:
        _, height, width = self.shape
        s = self._rows.u.T.to(y) @ y @ self._columns.u.to(y)
        s = F.pad(s, (0, width - s.shape[-1], 0, height - s.shape[-2]))
        return s * (self._singulars(y) > 0)


class _Factor:
    """M = U diag(s) Vᵀ with U (m,m), V (n,n) and s (n,), 0 beyond m."""

    def __init__(self, matrix: Tensor) -> None:
        self.u, s, vh = torch.linalg.svd(matrix, full_matrices=True)
        self.v = vh.T
        self.singulars = F.pad(s, (0, matrix.shape[1] - len(s)))


# -- shrinking --------------------------------------------------------------------------------------


def averaging(size: int, scale: int) -> Tensor:
    """Means of `scale` neighbours, float64 (size/scale, size). Raises ValueError where it does not divide."""
    _divides(size, scale)
    return torch.eye(size // scale, dtype=torch.float64).repeat_interleave(scale, 1) / scale


def bicubic(size: int, scale: int) -> Tensor:
    """The antialiased bicubic resize (Keys 1981, a = -0.5, as Pillow's), float64 (size/scale, size)."""
    _divides(size, scale)
    unit = torch.eye(size, dtype=torch.float64)[None, None]
    shrunk = F.interpolate(unit, (size // scale, size), mode="bicubic", antialias=True)
    return shrunk[0, 0]


def _divides(size: int, scale: int) -> None:
    if scale < 1 or size % scale:
        raise ValueError(f"{size} pixels cannot be shrunk {scale} times")


# -- blur -------------------------------------------------------------------------------------------


def uniform(width: int) -> Tensor:
    """The mean of `width` (odd) neighbours, float64 (width,)."""
    return torch.full((width,), 1 / width, dtype=torch.float64)


def gaussian(std: float) -> Tensor:
    """A Gaussian of that standard deviation in pixels, cut at three of them, float64 (odd,), sum 1."""
    reach = max(1, math.ceil(3 * std))
    place = torch.arange(-reach, reach + 1, dtype=torch.float64)
    weights = torch.exp(-(place**2) / (2 * std**2))
    return weights / weights.sum()


def blurring(size: int, kernel: Tensor) -> Tensor:
    """Convolution with an odd kernel, float64 (size,size); beyond the rim the image goes on mirrored.

    Rows sum to the kernel's sum: a plain image stays plain.
    """
    reach = len(kernel) // 2
    places = torch.arange(size)[:, None] + torch.arange(-reach, reach + 1)
    places = places.remainder(2 * size)
    places = torch.where(places < size, places, 2 * size - 1 - places)  # the rim's pixel counts twice
    matrix = torch.zeros(size, size, dtype=torch.float64)
    return matrix.scatter_add_(1, places, kernel.expand(size, -1))
