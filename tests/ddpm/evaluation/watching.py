"""Work that tells its progress, taken to its end."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TypeVar

Y, T = TypeVar("Y"), TypeVar("T")


def watched(work: Generator[Y, None, T]) -> tuple[list[Y], T]:
    """(all that it told, its result)."""
    results: list[T] = []

    def through() -> Iterator[Y]:
        results.append((yield from work))

    return list(through()), results[0]
