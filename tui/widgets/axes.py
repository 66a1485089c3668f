"""Axes: where ticks stand, how numbers are written beside them, and where a value falls among the dots."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_SUFFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from `low` to `high` on dots 0 … `dots`-1, linearly or by their logarithm."""

    low: float
    high: float
    dots: int
    log: bool = False

    def dot(self, value: float) -> float:
        """The place of `value` in dots, not rounded; beyond the ends it is beyond 0 … dots-1."""
        slope, offset = self.line()
        return (math.log(max(value, 1e-300)) if self.log else value) * slope + offset

    def line(self) -> tuple[float, float]:
        """(slope, offset) of the dots over the values, or over their logarithms."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        if high <= low:
            return 0.0, (self.dots - 1) / 2
        slope = (self.dots - 1) / (high - low)
        return slope, -low * slope

    def value(self, dot: float) -> float:
        """The value at a dot: the inverse of `dot`."""
        share = dot / max(self.dots - 1, 1)
        if self.log:
            low, high = math.log(self.low), math.log(self.high)
            return math.exp(low + share * (high - low))
        return self.low + share * (self.high - self.low)


def bounds(values: Iterable[float], log: bool = False) -> tuple[float, float] | None:
    """(low, high) of finite `values`, never equal; None if there are none. With `log` only those above 0."""
    kept = [v for v in values if math.isfinite(v) and (v > 0 or not log)]
    if not kept:
        return None
    low, high = min(kept), max(kept)
    if low < high and (not log or high / low > 1 + 1e-9):
        return low, high
    if log:
        return low / 1.5, high * 1.5
    spread = abs(low) * 0.1 or 1.0
    return low - spread, high + spread


def zoomed(
    whole: tuple[float, float], view: tuple[float, float], at: float | None, factor: float
) -> tuple[float, float]:
    """`view` made `factor` times as wide about `at` (None: its right end), within `whole`.

    Never narrower than a millionth of `whole`; then it stays as it is.
    """
    first, last = view
    wide = (last - first) * factor
    if wide >= whole[1] - whole[0]:
        return whole
    if wide < (whole[1] - whole[0]) * 1e-6:
        return view
    at = last if at is None else min(max(at, first), last)
    start = at - wide * (at - first) / (last - first)
    start = min(max(start, whole[0]), whole[1] - wide)
    return start, start + wide


def linear_ticks(low: float, high: float, count: int) -> list[float]:
    """About `count` (at least 2) round numbers 1, 2 or 5 × 10ⁿ apart, within [low, high]."""
    if not high > low:
        return []
    step = _nice_step((high - low) / max(count, 2))
    ticks = _multiples(step, low, high)
    while len(ticks) < 2:
        step = _nice_step(step / 2.6)
        ticks = _multiples(step, low, high)
    return ticks


def _multiples(step: float, low: float, high: float) -> list[float]:
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [_clean(i * step, step) for i in range(first, last + 1)]


def log_ticks(low: float, high: float, count: int) -> list[float]:
    """At most `count` powers of ten within [low, high], with 2 and 5 between them where there is room.

    Where that leaves fewer than two (a range within one decade), round numbers as on a linear axis.
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for factors in ((1, 2, 5), (1, 3), (1,)):
        ticks = [f * 10.0**n for n in range(first, last + 1) for f in factors]
        ticks = [t for t in ticks if low * (1 - 1e-9) <= t <= high * (1 + 1e-9)]
        if len(ticks) <= count:
            break
    else:
        ticks = ticks[:: math.ceil(len(ticks) / max(count, 1))]
    return ticks if len(ticks) >= 2 else linear_ticks(low, high, count)


def tick_labels(ticks: Sequence[float]) -> list[str]:
    """Ticks in words of one kind: as many decimals as tell neighbours apart, k and M for large ones."""
    if not ticks:
        return []
    largest = max(abs(t) for t in ticks)
    gaps = [abs(b - a) for a, b in itertools.pairwise(ticks)] or [largest or 1.0]
    even = max(gaps) <= min(gaps) * 1.01
    if not even or largest < 1e-3:
        digits = next((d for d in range(3, 16) if len({short(t, d) for t in ticks}) == len(ticks)), 16)
        return [short(t, digits) for t in ticks]
    unit, suffix = next(((u, s) for u, s in _SUFFIXES if largest >= u), (1.0, ""))
    decimals = max(0, -math.floor(math.log10(min(gaps) / unit) + 1e-9))
    return ["0" if t == 0 else f"{t / unit:.{decimals}f}{suffix}" for t in ticks]


def short(value: float, digits: int = 3) -> str:
    """A number in few characters: 12k, 1.2M, 0.0231, 2e-04; `digits` significant ones."""
    if not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    if value == 0:
        return "0"
    size = abs(value)
    if size < 1e-3 or size >= 1e15:
        return _scientific(value, digits)
    for unit, suffix in _SUFFIXES:
        if size >= unit * (1 - 0.5 * 10.0**-digits):
            return _significant(value / unit, digits) + suffix
    return _significant(value, digits)


def _significant(value: float, digits: int) -> str:
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _scientific(value: float, digits: int) -> str:
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}e{int(exponent)}"


def _nice_step(at_least: float) -> float:
    power = 10.0 ** math.floor(math.log10(at_least))
    return next(f * power for f in (1, 2, 5, 10) if f * power >= at_least * (1 - 1e-9))


def _clean(value: float, step: float) -> float:
    """`value` without the rounding error of having been multiplied."""
    return round(value, max(0, 2 - math.floor(math.log10(step)))) + 0.0
