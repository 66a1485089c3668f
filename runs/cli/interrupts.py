"""Ctrl-C, counted rather than raised, so that the first can mean "stop" and the second "stop watching"."""

from __future__ import annotations

import os
import select
import signal
from types import FrameType, TracebackType


class Interrupts:
    """While entered, SIGINT only counts; `wait` sleeps and is woken by one."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> Interrupts:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._before = signal.signal(signal.SIGINT, self._interrupted)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._before)
        os.close(self._reader)
        os.close(self._writer)

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        os.write(self._writer, b"c")

    def wait(self, seconds: float) -> None:
        """Sleep, but not beyond a Ctrl-C."""
        if select.select([self._reader], [], [], seconds)[0]:
            os.read(self._reader, 1)
