"""How work of minutes that is no run shows on standard error: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from runs.humanize import UNKNOWN, bytes_text, duration
from runs.text import printable

LINE_EVERY = 10.0  #: seconds between two plain lines


class Waiting:
    """`with Waiting("training") as waiting: waiting.update(done, total)`; leaves nothing on a terminal.

    `unit` says what is counted: "images"; "bytes" are shown as kB, MB, ….
    """

    def __init__(self, title: str, unit: str = "images") -> None:
        self._title, self._unit = title, unit
        self._began: tuple[float, int] | None = None  # seconds, done: when the present stage was first told
        self._next = 0.0

    def __enter__(self) -> Waiting:
        self._bar = _Bar(self._title) if sys.stderr.isatty() else None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.close()

    def update(self, done: int, total: int, title: str | None = None, unit: str | None = None) -> None:
        """`total` 0 is unknown; another `title` begins another stage, which may count something else."""
        now = time.monotonic()
        self._unit = unit or self._unit
        if title not in (None, self._title) or self._began is None:
            self._title, self._began, self._next = title or self._title, (now, done), 0.0
        counted = self._counted(done, total)
        left = self._left(now, done, total)
        if self._bar:
            self._bar.show(self._title, counted, left, done, total)
        elif now >= self._next:
            self._next = now + LINE_EVERY
            sys.stderr.write(printable("  ".join(filter(None, (self._title, counted, left)))) + "\n")
            sys.stderr.flush()

    def _counted(self, done: int, total: int) -> str:
        if self._unit == "bytes":
            return f"{bytes_text(done)} of {bytes_text(total)}" if total else bytes_text(done) if done else ""
        if total:
            return f"{done:,} of {total:,} {self._unit}"
        return f"{done:,} {self._unit}" if done else ""

    def _left(self, now: float, done: int, total: int) -> str:
        """How long it will take still, once that can be said."""
        assert self._began is not None
        seconds, first = now - self._began[0], self._began[1]
        if seconds < 1 or not first < done < total:
            return ""
        text = duration((total - done) * seconds / (done - first))
        return "" if text == UNKNOWN else f"{text} left"


class _Bar:
    """One line, redrawn in place, gone when the work is done."""

    def __init__(self, what: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        plain = [TextColumn(f"{{task.fields[{name}]}}", markup=False) for name in ("what", "counted", "left")]
        self._progress = Progress(
            plain[0],
            BarColumn(bar_width=None),
            *plain[1:],
            console=Console(stderr=True, highlight=False),
            transient=True,
            expand=True,
        )
        self._task = self._progress.add_task("", total=None, what=printable(what), counted="", left="")
        self._progress.start()

    def show(self, what: str, counted: str, left: str, done: int, total: int) -> None:
        self._progress.update(
            self._task, total=total or None, completed=done, what=printable(what), counted=counted, left=left
        )

    def close(self) -> None:
        self._progress.stop()
