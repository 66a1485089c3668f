"""From the terms of single images to bits per dimension, its standard error, and a curve over timesteps."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ddpm.likelihood.strata import edges as strata

#: Bins of the curve at most: a terminal shows no more.
CURVE = 128


@dataclass(frozen=True, slots=True)
class Summary:
    """What `events.BitsPerDim` says of it."""

    bits_per_dim: float
    error: float | None
    prior: float
    decoder: float
    edges: tuple[int, ...]
    terms: tuple[float, ...]


def summary(rows: np.ndarray, edges: Tensor) -> Summary:
    """rows float32 (N ≥ 1, strata + 1): of each image a term of each stratum, and last L_T, bits/dim."""
    widths = edges.diff().double().numpy()
    values = np.asarray(rows, np.float64)
    totals = values[:, :-1] @ widths + values[:, -1]
    error = float(totals.std(ddof=1)) / math.sqrt(len(totals)) if len(totals) > 1 else None
    sums = values[:, :-1].mean(0) * widths
    bins = strata(len(widths), min(CURVE, len(widths))).numpy()
    starts = edges.numpy()[bins]
    terms = np.add.reduceat(sums, bins[:-1]) / np.diff(starts)
    return Summary(
        bits_per_dim=float(totals.mean()),
        error=error,
        prior=float(values[:, -1].mean()),
        decoder=float(sums[0]),
        edges=tuple(int(start) for start in starts),
        terms=tuple(float(term) for term in terms),
    )
