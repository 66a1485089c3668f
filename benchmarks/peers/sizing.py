"""A size of another network that brings its parameters nearest to a number."""

from __future__ import annotations

from collections.abc import Callable, Iterable

#: Networks whose parameters differ by more are not of the same size.
TOLERANCE = 0.05


def nearest(parameters: Callable[[int], int], wanted: int, sizes: Iterable[int]) -> int:
    """The size whose parameters are nearest to `wanted`; they grow with it.

    ValueError where even those differ by more than TOLERANCE of `wanted`.
    """
    best, difference = 0, float("inf")
    for size in sizes:
        found = abs(parameters(size) - wanted)
        if found > difference:
            break
        best, difference = size, found
    if difference > TOLERANCE * wanted:
        raise ValueError(f"no size comes nearer than {difference / wanted:.1%} to {wanted} parameters")
    return best
