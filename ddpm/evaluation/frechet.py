"""The Fréchet distance between two Gaussians: FID, where they are fitted to Inception features."""

from __future__ import annotations

import torch
from torch import Tensor

from ddpm.errors import EngineError
from ddpm.evaluation.moments import Statistics
from ddpm.evaluation.rows import require_same_dimension


def frechet_distance(a: Statistics, b: Statistics) -> float:
    """|μ_a - μ_b|² + tr(Σ_a + Σ_b - 2(Σ_a Σ_b)^½) (Dowson & Landau 1982; Heusel et al. 2017, eq. 6), ≥ 0.

    Only the trace of the root is needed, so that eigenvalues of symmetric matrices do: nothing is added to
    the diagonals and no square root of a matrix is taken. EngineError where the dimensions differ, or where
    the statistics are not finite.
    """
    require_same_dimension(a.dimension, b.dimension)
    for part in (a.mean, a.covariance, b.mean, b.covariance):
        if not torch.isfinite(part).all():
            raise EngineError("the statistics are not finite (NaN or infinity)")
    apart = (a.mean - b.mean).square().sum()
    spread = a.covariance.trace() + b.covariance.trace() - 2 * _trace_of_root(a, b)
    return max((apart + spread).item(), 0.0)  # less is rounding: of equal Gaussians it may be -1e-13


def _trace_of_root(a: Statistics, b: Statistics) -> Tensor:
    """tr (Σ_a Σ_b)^½. With Σ_a = FᵀF it is tr (F Σ_b Fᵀ)^½; with Σ_b = GᵀG, the nuclear norm of F Gᵀ."""
    if a.factor is not None and b.factor is not None:
        return torch.linalg.svdvals(a.factor @ b.factor.T).sum()
    if a.factor is None and b.factor is not None:
        a, b = b, a
    factor = _factor(a.covariance) if a.factor is None else a.factor
    squares = torch.linalg.eigvalsh(factor @ b.covariance @ factor.T)
    return squares.clamp(min=0).sqrt().sum()  # where the rank is short, rounding makes some less than 0


def _factor(covariance: Tensor) -> Tensor:
    """F (D,D) with FᵀF = the covariance."""
    values, vectors = torch.linalg.eigh(covariance)
    return values.clamp(min=0).sqrt()[:, None] * vectors.T
