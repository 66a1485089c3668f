"""Linear degradations y = H x + noise, known by their singular value decomposition H = U Σ Vᵀ.

Kawar et al. 2022 (DDRM), section 4 and appendix D: no matrix of the size of an image is ever made. The
spectral coordinates of an image, Vᵀ x, are held in the shape of the image; where a singular value is 0, the
degradation does not see that coordinate at all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor


class Degradation(ABC):
    """Of images (N,C,H,W) in [-1, 1] to measurements (N, *measured). Tensors keep their device and dtype.

    `singulars` are >= 0, in float64 on the CPU, of the image's shape (C,H,W) or broadcasting to it.
    """

    shape: tuple[int, int, int]  #: (C,H,W) of an image
    measured: tuple[int, ...]  #: shape of one measurement
    singulars: Tensor

    @abstractmethod
    def to_spectral(self, x: Tensor) -> Tensor:
        """Vᵀ x: images (N,C,H,W) to their spectral coordinates, of the same shape."""

    @abstractmethod
    def from_spectral(self, s: Tensor) -> Tensor:
        """V s: the inverse of `to_spectral`."""

    @abstractmethod
    def measure(self, s: Tensor) -> Tensor:
        """U s: spectral coordinates (N,C,H,W) to a measurement; those with singular value 0 are left out."""

    @abstractmethod
    def unmeasure(self, y: Tensor) -> Tensor:
        """Uᵀ y: a measurement to spectral coordinates (N,C,H,W), 0 where the singular value is 0."""

    def degrade(self, x: Tensor) -> Tensor:
        """H x, without noise."""
        return self.measure(self._singulars(x) * self.to_spectral(x))

    def adjoint(self, y: Tensor) -> Tensor:
        """Hᵀ y."""
        return self.from_spectral(self._singulars(y) * self.unmeasure(y))

    def pseudo_inverse(self, y: Tensor) -> Tensor:
        """H⁺ y (Moore and Penrose): the smallest image that fits the measurement best."""
        return self.from_spectral(self.solved(y))

    def solved(self, y: Tensor) -> Tensor:
        """Σ⁺ Uᵀ y: the spectral coordinates that the measurement tells, 0 where it tells none."""
        s = self._singulars(y)
        return torch.where(s > 0, self.unmeasure(y) / s.where(s > 0, torch.ones_like(s)), 0.0)

    def _singulars(self, like: Tensor) -> Tensor:
        return self.singulars.to(like)
