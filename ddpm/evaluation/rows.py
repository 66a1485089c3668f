"""What is asked of rows of features before anything is computed from them."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from ddpm.errors import EngineError

#: Rows that are held in float64 at once: memory does not grow with their number.
BLOCK = 1024

#: What a feature may be at most: squares and products of such can be computed with, and kept as float32.
LARGEST = 1e18


def double(rows: np.ndarray | Tensor) -> Tensor:
    """Rows as float64 on the CPU; those of a read-only file as well. Not to be written to."""
    if isinstance(rows, Tensor):
        return rows.detach().cpu().double()
    return torch.from_numpy(np.array(rows, dtype=np.float64))


def require_finite(rows: Tensor, first: int = 0) -> None:
    """EngineError that names the first of the rows (N,D) which is not finite, or too large; `first` is row
    0's number."""
    if wrong := fault(rows, first):
        raise EngineError(wrong)


def fault(rows: Tensor, first: int = 0) -> str | None:
    """What is wrong with the first of the rows (N,D) that nothing can be computed from; None: nothing."""
    fit = (rows.abs() <= LARGEST).all(dim=1)  # false of NaN
    if fit.all():
        return None
    bad = int((~fit).nonzero()[0])
    largest = rows[bad].abs().max().item()
    if not math.isfinite(largest):
        return f"the features of image {first + bad} are not finite (NaN or infinity)"
    return f"the features of image {first + bad} are too large: {largest:.3g}, and {LARGEST:g} is the most"


def require_shape(rows: np.ndarray | Tensor, dimension: int | None = None) -> None:
    """EngineError where these are no rows of `dimension` numbers (of any, where it is None)."""
    if rows.ndim != 2 or dimension not in (None, rows.shape[1]):
        wanted = "D" if dimension is None else dimension
        raise EngineError(f"features of shape {tuple(rows.shape)}; they must have the shape (N, {wanted})")


def require_same_dimension(one: int, other: int) -> None:
    """EngineError where two sets of features have rows of different lengths."""
    if one != other:
        raise EngineError(
            f"features of dimension {one} cannot be compared with features of dimension {other}"
        )


def require_comparable(x: np.ndarray, y: np.ndarray) -> None:
    """EngineError where two sets (N,D) and (M,D) are not of one dimension, or not finite."""
    require_shape(x)
    require_shape(y)
    require_same_dimension(x.shape[1], y.shape[1])
    for rows in (x, y):
        for start in range(0, len(rows), BLOCK):
            require_finite(double(rows[start : start + BLOCK]), start)
