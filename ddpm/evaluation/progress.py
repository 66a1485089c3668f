"""Work that takes minutes, told while it happens: generators that yield Progress and return their result."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

T = TypeVar("T")
Y = TypeVar("Y")


@dataclass(frozen=True, slots=True)
class Progress:
    done: int  #: images; of a download, bytes
    total: int  #: 0: not known


#: `result = yield from work()` passes the progress on.
Steps: TypeAlias = Generator[Progress, None, T]


def finish(work: Steps[T]) -> T:
    """The result of the work, its progress untold."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: T = end.value
            return result


def within(work: Steps[T], before: int, total: int) -> Steps[T]:
    """The work as a part of more: what was done before it counts."""
    return retold(work, lambda progress: Progress(before + progress.done, total))


def retold(work: Steps[T], told: Callable[[Progress], Y]) -> Generator[Y, None, T]:
    """The work, its progress told in other words; closed with its reader."""
    with closing(work):
        while True:
            try:
                progress = next(work)
            except StopIteration as end:
                result: T = end.value
                return result
            yield told(progress)
