"""Rows of features: their shape, and that they are finite."""

import numpy as np
import pytest
import torch

from ddpm.errors import EngineError
from ddpm.evaluation import rows


def test_rows_become_float64_and_are_no_view_of_an_array(recwarn: pytest.WarningsRecorder) -> None:
    features = np.arange(6, dtype=np.float32).reshape(3, 2)
    features.flags.writeable = False  # as those of a file are
    found = rows.double(features)
    assert found.dtype == torch.float64
    assert found.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert not recwarn.list


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_first_image_that_is_not_finite_is_named(value: float) -> None:
    features = np.ones((3 * rows.BLOCK, 2))
    features[[rows.BLOCK + 7, rows.BLOCK + 9], 1] = value
    with pytest.raises(EngineError, match=f"features of image {rows.BLOCK + 7} are not finite"):
        rows.require_comparable(np.ones((5, 2)), features)


def test_numbers_whose_squares_overflow_are_too_large() -> None:
    features = np.ones((5, 2))
    rows.require_comparable(features * rows.LARGEST, features)
    features[3, 1] = 1e200
    with pytest.raises(EngineError, match=r"features of image 3 are too large: 1e\+200, and 1e\+18"):
        rows.require_comparable(np.ones((5, 2)), features)


def test_other_dimensions_are_told() -> None:
    with pytest.raises(EngineError, match="dimension 64 cannot be compared with features of dimension 2048"):
        rows.require_comparable(np.ones((5, 64)), np.ones((5, 2048)))


@pytest.mark.parametrize("shape", [(5,), (5, 3, 2)])
def test_what_is_no_table_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(EngineError, match=r"features of shape .*must have the shape \(N, D\)"):
        rows.require_comparable(np.ones(shape), np.ones((5, 2)))
