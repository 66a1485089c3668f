"""How far a stage of an evaluation has come, told neither too often nor too seldom."""

from __future__ import annotations

import time
from collections.abc import Iterator

from ddpm.events import Evaluating
from ddpm.subject import Subject

_SECONDS = 1.0  # between two events, at least


class Stopped(Exception):
    """A stop was asked for in the middle of an evaluation; what was done is kept."""


class Pace:
    """Of one stage ("reference", "samples" or "scores"), whose clock starts now."""

    def __init__(self, subject: Subject, stage: str) -> None:
        self._subject, self._stage = subject, stage
        self._began = time.monotonic()
        self._told_at = -_SECONDS
        self._told: tuple[int, int] | None = None

    def told(self, done: int, total: int) -> Iterator[Evaluating]:
        """An event where one is due: the first, the last, and in between after a second. None of no work."""
        if not total:
            return
        seconds = time.monotonic() - self._began
        last = done >= total and self._told != (done, total)
        if not last and seconds - self._told_at < _SECONDS:
            return
        self._told, self._told_at = (done, total), seconds
        subject = self._subject
        yield Evaluating(subject.step, subject.images_seen, self._stage, done, total, round(seconds, 3))
