"""Exponential smoothing of a series."""

from __future__ import annotations

import math
from collections.abc import Iterable

from runs.rows import Bucket


def smooth(points: Iterable[Bucket], weight: float) -> list[Bucket]:
    """The means, smoothed by a debiased exponential moving average; lows and highs become the mean.

    `weight` in [0, 1) is what remains of the past at each point; 0 returns the means themselves. Debiased
    (divided by 1 - weight**n, as in Adam, Kingma & Ba 2015, sec. 3) so that the curve begins at the first
    value and not at zero. Non-finite points stay where they are and are not averaged in.
    """
    if not 0 <= weight < 1:
        raise ValueError(f"smoothing weight {weight} is not in [0, 1)")
    average, bias = 0.0, 1.0
    smoothed = []
    for point in points:
        value = point.mean
        if math.isfinite(value):
            average = weight * average + (1 - weight) * value
            bias *= weight
            value = average / (1 - bias)
        smoothed.append(Bucket(point.x, value, value, value))
    return smoothed
