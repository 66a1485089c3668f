"""KID, the kernel Inception distance: unlike FID it has no bias that depends on the number of images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ddpm.evaluation.rows import double, require_comparable
from ddpm.randomness import derive

#: Images of each set in one block.
BLOCK = 1000
#: Blocks there are at least; they are smaller where images are few. Fewer would leave the error a guess.
LEAST_BLOCKS = 10
#: Images that each set needs: the smallest blocks have ten.
LEAST_IMAGES = 100


@dataclass(frozen=True, slots=True)
class Kid:
    value: float  #: the squared MMD, as it is (often told times 1000); below 0 where the sets are much alike
    error: float  #: standard error of `value`


def kid(x: np.ndarray, y: np.ndarray, *, block: int = BLOCK) -> Kid | None:
    """Squared MMD between features (N,D) and (M,D), kernel (x·y/D + 1)³ (Bińkowski et al. 2018, section 4).

    The mean of unbiased estimates from disjoint pairs of blocks, and its standard error, which is what
    they differ by. Blocks have `block` images of each set, or a tenth of the smaller set where that is
    less. Their images are drawn in a fixed order without regard to the rows', which may be sorted by class.
    What is left over is not used. None where one set has fewer than 100 images.

    EngineError for features that are not finite or of different dimensions.
    """
    require_comparable(x, y)
    fewest = min(len(x), len(y))
    if fewest < LEAST_IMAGES:
        return None
    size = max(2, min(block, fewest // LEAST_BLOCKS))
    count = fewest // size
    orders = [
        _shuffle(len(rows), name)[: count * size].reshape(count, size) for rows, name in ((x, "x"), (y, "y"))
    ]
    found = np.array([_mmd2(double(x[i]), double(y[j])) for i, j in zip(*orders, strict=True)])
    return Kid(float(found.mean()), float(found.std(ddof=1) / count**0.5))


def _shuffle(count: int, name: str) -> np.ndarray:
    """A fixed order of `count` rows, another one for each name: rows that correspond need not meet."""
    generator = torch.Generator().manual_seed(derive(0, "kid", name))
    return torch.randperm(count, generator=generator).numpy()


def _mmd2(x: Tensor, y: Tensor) -> float:
    """The unbiased estimate (Gretton et al. 2012, eq. 3) from float64 (m,D) and (m,D)."""
    m = len(x)
    within = sum((k.sum() - k.trace()) / (m * (m - 1)) for k in (_kernel(x, x), _kernel(y, y)))
    return float(within - 2 * _kernel(x, y).mean())


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3
