"""Mean and covariance of features, in float64, from rows that need never be in memory together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ddpm.errors import EngineError
from ddpm.evaluation.rows import BLOCK, double, require_finite, require_shape

#: Features that an image may have: a covariance of so many takes 2 GiB, and files may promise any number.
LARGEST = 16_384


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """The Gaussian that Fréchet distances are measured between. Tensors are float64 on the CPU."""

    mean: Tensor  #: (D,)
    covariance: Tensor  #: (D,D), with divisor count - 1, as numpy.cov has it
    count: int  #: rows that they were computed from
    #: (N,D): rows without their mean, over sqrt(N - 1), so that factorᵀ factor is the covariance. Known where
    #: it has fewer rows than columns: the covariance has no more rank, and small eigenvalues that are noise.
    factor: Tensor | None = None

    @property
    def dimension(self) -> int:
        return len(self.mean)


class Moments:
    """Collects features block by block; how they are divided changes rounding alone.

    The sum of squares is kept about the mean of what was seen so far and merged with each block's (Chan,
    Golub & LeVeque 1983), so that features far from zero lose no digits.
    """

    def __init__(self, dimension: int) -> None:
        self.count = 0
        self._shift = torch.zeros(dimension, dtype=torch.float64)  # all else is relative to it
        self._mean = torch.zeros(dimension, dtype=torch.float64)
        self._scatter = torch.zeros(dimension, dimension, dtype=torch.float64)

    def add(self, features: Tensor | np.ndarray) -> None:
        """Rows (n,D) of any number. EngineError for another shape, NaN or infinity; then nothing is added."""
        require_shape(features, len(self._mean))
        if len(features) == 0:
            return
        rows = double(features)
        require_finite(rows, self.count)
        if self.count == 0:
            self._shift = rows.mean(0)
        rows = rows - self._shift
        mean = rows.mean(0)
        rows -= mean
        step, total = mean - self._mean, self.count + len(rows)
        self._scatter.addmm_(rows.T, rows)
        self._scatter.addr_(step, step, alpha=self.count * len(rows) / total)
        self._mean += step * (len(rows) / total)
        self.count = total

    def statistics(self) -> Statistics:
        """Of all rows so far. EngineError where there are fewer than two: they have no covariance."""
        if self.count < 2:
            number = "one image" if self.count else "no image"
            raise EngineError(f"statistics need at least two images; there is {number}")
        covariance = (self._scatter + self._scatter.T) / (2 * (self.count - 1))  # symmetric to the last bit
        return Statistics(self._shift + self._mean, covariance, self.count)


def statistics_of(rows: np.ndarray) -> Statistics:
    """Statistics of rows (N,D), which may lie in a file; with their factor where N < D.

    EngineError as `Moments` raises it.
    """
    require_shape(rows)
    count, dimension = rows.shape
    moments = Moments(dimension)
    for start in range(0, count, BLOCK):
        moments.add(rows[start : start + BLOCK])
    found = moments.statistics()
    if count >= dimension:
        return found
    factor = (double(rows) - found.mean) / (count - 1) ** 0.5
    return Statistics(found.mean, found.covariance, found.count, factor)
