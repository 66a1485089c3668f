"""How well images fit statistics: a check of shipped statistics that needs not all images."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ddpm.evaluation.moments import Statistics
from ddpm.evaluation.rows import double

#: Added to the diagonal, in units of the mean variance: features that are always zero have none of their own.
RIDGE = 1e-3


def mahalanobis(rows: np.ndarray | Tensor, statistics: Statistics) -> Tensor:
    """Squared Mahalanobis distance of each row (N,D) from the mean, over D; float64 (N,).

    (x - μ)ᵀ (C + r·tr(C)/D·I)⁻¹ (x - μ) / D with r = RIDGE: on average 1, or a little less, for the images
    that the statistics are of. A mean or covariance of anything else changes it, and so do other features.
    """
    size = statistics.dimension
    covariance = statistics.covariance.clone()
    covariance.diagonal().add_(RIDGE * covariance.diagonal().mean())
    away = (double(rows) - statistics.mean).T
    return (away * torch.cholesky_solve(away, torch.linalg.cholesky(covariance))).sum(0) / size
