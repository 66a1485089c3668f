"""All scores of a set of images, from one pass over its features."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from ddpm.evaluation import kid as kernel
from ddpm.evaluation import manifold as neighbourhoods
from ddpm.evaluation.frechet import frechet_distance
from ddpm.evaluation.moments import Statistics, statistics_of
from ddpm.evaluation.rows import require_comparable
from ddpm.randomness import derive

#: Images of each set that the companions of FID are computed from, at most: their work is quadratic in it.
SUBSET = 10_000


@dataclass(frozen=True, slots=True)
class Scores:
    """FID takes all images; its companions at most SUBSET, and None where they were not asked for."""

    fid: float
    kid: float | None  #: None also where there are fewer than 100 images
    kid_error: float | None
    precision: float | None  #: this and the next None also where there are fewer than 6 images
    recall: float | None
    density: float | None
    coverage: float | None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def companions() -> dict[str, Any]:
    """What FID's companions are computed with, as `Protocol.companions` tells it.

    neighbours: k of precision and recall, and of density and coverage.
    """
    return {
        "kid_block": kernel.BLOCK,
        "neighbours": [neighbourhoods.PRECISION_NEIGHBOURS, neighbourhoods.DENSITY_NEIGHBOURS],
    }


def score(rows: np.ndarray, statistics: Statistics, features: np.ndarray | None) -> Scores:
    """Of features (N,D), which may lie in a file, against a reference's statistics and features (M,D).

    Without features of the reference: FID alone. EngineError for fewer than two rows, for features that
    are not finite, and for other dimensions than the reference's.
    """
    return between(statistics_of(rows), None if features is None else subset(rows), statistics, features)


def between(
    subject: Statistics, rows: np.ndarray | None, reference: Statistics, features: np.ndarray | None
) -> Scores:
    """As `score`, of statistics that are known already; FID alone unless both sides have features.

    rows: of the subject, (n,D); n may be less than what the statistics are of.
    """
    fid = frechet_distance(subject, reference)
    if rows is None or features is None:
        return Scores(fid, None, None, None, None, None, None)
    fake, real = subset(rows), subset(features)
    distance = kernel.kid(fake, real)
    value, error = (distance.value, distance.error) if distance else (None, None)
    if min(len(fake), len(real)) < neighbourhoods.LEAST_IMAGES:
        require_comparable(fake, real)
        return Scores(fid, value, error, None, None, None, None)
    found = neighbourhoods.manifold(real, fake)
    return Scores(fid, value, error, found.precision, found.recall, found.density, found.coverage)


def subset(rows: np.ndarray) -> np.ndarray:
    """SUBSET of the rows, always the same ones, from everywhere in them; all where there are no more."""
    return rows if len(rows) <= SUBSET else rows[chosen(len(rows))]


def chosen(count: int) -> np.ndarray:
    """Which of `count` rows `subset` takes: ascending indices, SUBSET or, where there are no more, all."""
    if count <= SUBSET:
        return np.arange(count)
    generator = torch.Generator().manual_seed(derive(0, "subset"))
    return torch.randperm(count, generator=generator)[:SUBSET].sort().values.numpy()
