"""Degradations of single pixels: noise alone, hidden pixels, lost colour."""

from __future__ import annotations

import torch
from torch import Tensor

from ddpm.restoration.degradation import Degradation

#: What red, green and blue count in grey (ITU-R BT.601), as everywhere in this project.
LUMA = (0.299, 0.587, 0.114)


class Masking(Degradation):
    """Sees some pixels as they are and the others not at all (H is a projection, so U = V = 1).

    A measurement is an image whose hidden pixels say nothing. Where all are seen, noise alone is left.
    """

    def __init__(self, channels: int, seen: Tensor) -> None:
        """seen: bool (H,W), or (C,H,W)."""
        planes = seen if seen.ndim == 3 else seen[None].expand(channels, -1, -1)
        self.shape = (channels, seen.shape[-2], seen.shape[-1])
        self.measured = self.shape
        self.singulars = planes.double()

    def to_spectral(self, x: Tensor) -> Tensor:
        return x

    def from_spectral(self, s: Tensor) -> Tensor:
        return s

    def measure(self, s: Tensor) -> Tensor:
        return s * self._singulars(s)

    def unmeasure(self, y: Tensor) -> Tensor:
        return y * self._singulars(y)


class Greying(Degradation):
    """Leaves the luma of a colour image: y = 0.299 R + 0.587 G + 0.114 B, of shape (1,H,W).

    V turns the colours of a pixel so that the first axis is along the weights; its singular value is their
    length, the others' 0.
    """

    def __init__(self, height: int, width: int) -> None:
        self.shape = (3, height, width)
        self.measured = (1, height, width)
        weights = torch.tensor(LUMA, dtype=torch.float64)
        _, length, turned = torch.linalg.svd(weights[None])  # V: (3,3)
        self._turned = turned * torch.sign(turned[0, 0])
        self.singulars = torch.tensor([float(length), 0.0, 0.0], dtype=torch.float64)[:, None, None]

    def to_spectral(self, x: Tensor) -> Tensor:
        return torch.einsum("ij,njhw->nihw", self._turned.to(x), x)

    def from_spectral(self, s: Tensor) -> Tensor:
        return torch.einsum("ij,nihw->njhw", self._turned.to(s), s)

    def measure(self, s: Tensor) -> Tensor:
        return s[:, :1]

    def unmeasure(self, y: Tensor) -> Tensor:
        return torch.cat([y, torch.zeros_like(y), torch.zeros_like(y)], 1)
