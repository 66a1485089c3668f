"""The squared distance that is 1 on average."""

from __future__ import annotations

import numpy as np
import torch

from ddpm.evaluation.mahalanobis import RIDGE, mahalanobis
from ddpm.evaluation.moments import Statistics, statistics_of


def test_rows_are_on_average_one_from_their_own_statistics() -> None:
    rows = np.random.default_rng(0).normal(5, 3, (4000, 8)) @ np.diag(np.arange(1.0, 9.0))
    found = mahalanobis(rows, statistics_of(rows))
    # the sum over all rows of (x - μ)ᵀ C⁻¹ (x - μ) is exactly (N - 1) D; the ridge takes a little off
    assert 0.98 < float(found.mean()) <= 3999 / 4000
    assert float(mahalanobis(rows + 30, statistics_of(rows)).mean()) > 2


def test_it_is_the_closed_form_of_a_diagonal_covariance() -> None:
    statistics = Statistics(
        torch.tensor([1.0, 2.0]).double(), torch.diag(torch.tensor([4.0, 0.0])).double(), 9
    )
    ridge = RIDGE * 2.0  # of the mean variance
    found = mahalanobis(np.array([[3.0, 2.0], [1.0, 2.1]]), statistics)
    expected = torch.tensor([4 / (4 + ridge), 0.1**2 / ridge], dtype=torch.float64) / 2
    torch.testing.assert_close(found, expected)
