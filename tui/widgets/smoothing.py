"""Exponential smoothing of a series."""

from __future__ import annotations

import math
from collections.abc import Iterable

from runs.rows import Bucket


def smooth(points: Iterable[Bucket], weight: float, per: float | None = None) -> list[Bucket]:
    """The means, smoothed by a debiased exponential moving average; lows and highs become the mean.

    `weight` in [0, 1) is what remains of the past at each point, or with `per` after that distance in x, so
    that few points far apart are smoothed as little as many close together. 0 returns the means themselves.
    Debiased (divided by 1 - the weight left of the beginning, as in Adam, Kingma & Ba 2015, sec. 3) so that
    the curve begins at the first value and not at zero. Non-finite points stay where they are and are not
    averaged in.
    """
    if not 0 <= weight < 1:
        raise ValueError(f"smoothing weight {weight} is not in [0, 1)")
    average, bias, before = 0.0, 1.0, None
    smoothed = []
    for point in points:
        value = point.mean
        if math.isfinite(value):
            distance = 1.0 if per is None or before is None else (point.x - before) / per
            kept = weight**distance
            average = kept * average + (1 - kept) * value
            bias *= kept
            before = point.x
            value = average / (1 - bias) if bias < 1 else value
        smoothed.append(Bucket(point.x, value, value, value))
    return smoothed
