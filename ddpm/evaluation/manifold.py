"""Precision and recall, density and coverage: are the images like real ones, and are all kinds there?

The real images' neighbourhood is the union of balls around them, each as wide as the distance to the k-th
nearest other real image; that of the fake ones likewise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ddpm.errors import EngineError
from ddpm.evaluation.rows import BLOCK, double, require_comparable

#: k of precision and recall (Kynkäänniemi et al. 2019, section 3).
PRECISION_NEIGHBOURS = 3
#: k of density and coverage (Naeem et al. 2020, section 4).
DENSITY_NEIGHBOURS = 5
#: Images that each set needs: one, and as many neighbours.
LEAST_IMAGES = DENSITY_NEIGHBOURS + 1

#: Squared distances are known up to this part of the squared lengths: more than float64's rounding.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Manifold:
    precision: float  #: share of fake images in a real one's ball, 0 … 1
    recall: float  #: share of real images in a fake one's ball, 0 … 1
    density: float  #: real balls that a fake image lies in, over k, on average; 1 is expected of real images
    coverage: float  #: share of real images in whose ball a fake one lies, 0 … 1


def manifold(real: np.ndarray, fake: np.ndarray) -> Manifold:
    """Of features (N,D) and (M,D), each with at least six rows.

    k = 3 for precision and recall, 5 for density and coverage. Balls are closed: an image at the very
    distance lies inside, so that copies of real images count. Computed in float64 in blocks; memory beside
    the features does not grow with N·M. EngineError for fewer rows, features that are not finite or of
    different dimensions.
    """
    require_comparable(real, fake)
    for rows, name in ((real, "real"), (fake, "generated")):
        if len(rows) < LEAST_IMAGES:
            raise EngineError(
                f"precision and recall need {LEAST_IMAGES} {name} images; there are {len(rows)}"
            )
    real_radii, fake_radii = _radii(real), _radii(fake)
    centre = _centre(real)
    precise = torch.zeros(len(fake), dtype=torch.bool)
    recalled, covered = torch.zeros(2, len(real), dtype=torch.bool)
    inside = 0
    for i, x in _blocks(real, centre):
        for j, y in _blocks(fake, centre):
            distances = _squared_distances(x, y, -_ROUNDING)
            precise[j] |= (distances <= real_radii[i, :1]).any(0)
            recalled[i] |= (distances <= fake_radii[j, 0]).any(1)
            in_wide_ball = distances <= real_radii[i, 1:]
            covered[i] |= in_wide_ball.any(1)
            inside += int(in_wide_ball.sum())
    return Manifold(
        precise.double().mean().item(),
        recalled.double().mean().item(),
        inside / (DENSITY_NEIGHBOURS * len(fake)),
        covered.double().mean().item(),
    )


def _centre(rows: np.ndarray) -> Tensor:
    """Where lengths are measured from: distances do not depend on it, but their rounding does."""
    return double(rows[:BLOCK]).mean(0)


def _radii(rows: np.ndarray) -> Tensor:
    """Squared distances (N,2) to each row's third and fifth nearest other row."""
    centre = _centre(rows)
    nearest = torch.full((len(rows), DENSITY_NEIGHBOURS), torch.inf, dtype=torch.float64)

    def meet(part: slice, distances: Tensor) -> None:
        known = torch.cat([nearest[part], distances], dim=1)
        nearest[part] = known.topk(DENSITY_NEIGHBOURS, largest=False).values

    for i, x in _blocks(rows, centre):
        for j, y in _blocks(rows, centre, first=i.start):
            distances = _squared_distances(x, y, _ROUNDING)
            if i == j:
                distances.fill_diagonal_(torch.inf)
            else:
                meet(j, distances.T)
            meet(i, distances)
    return nearest[:, [PRECISION_NEIGHBOURS - 1, DENSITY_NEIGHBOURS - 1]]


def _blocks(rows: np.ndarray, centre: Tensor, first: int = 0) -> Iterator[tuple[slice, Tensor]]:
    for start in range(first, len(rows), BLOCK):
        part = slice(start, min(start + BLOCK, len(rows)))
        yield part, double(rows[part]) - centre


def _squared_distances(x: Tensor, y: Tensor, rounding: float) -> Tensor:
    """|x - y|² float64 (n,m), too much (or, where negative, too little) by this part of |x|² + |y|².

    Radii are taken too much and what is compared with them too little, so that rounding decides no tie.
    """
    lengths = x.square().sum(1)[:, None] + y.square().sum(1)
    return lengths.mul_(1 + rounding).addmm_(x, y.T, alpha=-2)
