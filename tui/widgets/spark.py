"""A series in one line of text, for the cells of a table."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

_STEPS = "▁▂▃▄▅▆▇█"


def spark(values: Sequence[float], width: int, *, log: bool = False) -> str:
    """`values` as a line of `width` characters, oldest first; lowest is ▁, highest █.

    Non-finite values (and with `log` those not above 0) are a space. More values than characters are
    averaged, fewer are followed by spaces. A constant series is ▄.
    """
    if width <= 0:
        return ""
    points = [_point(value, log) for value in values]
    if len(points) > width:
        points = _averaged(points, width)
    finite = [point for point in points if point is not None]
    if not finite:
        return " " * width
    low, high = min(finite), max(finite)
    return "".join(" " if p is None else _step(p, low, high) for p in points).ljust(width)


def _point(value: float, log: bool) -> float | None:
    if not math.isfinite(value) or (log and value <= 0):
        return None
    return math.log(value) if log else value


def _averaged(points: list[float | None], width: int) -> list[float | None]:
    edges = [len(points) * i // width for i in range(width + 1)]
    return [_mean(points[a:b]) for a, b in itertools.pairwise(edges)]


def _mean(points: list[float | None]) -> float | None:
    finite = [point for point in points if point is not None]
    return sum(finite) / len(finite) if finite else None


def _step(value: float, low: float, high: float) -> str:
    if high <= low:
        return "▄"
    return _STEPS[min(int((value - low) / (high - low) * len(_STEPS)), len(_STEPS) - 1)]
