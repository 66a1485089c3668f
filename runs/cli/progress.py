"""How a followed run shows on standard error: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import os
import sys
import termios
import time
from typing import TYPE_CHECKING, Protocol

from runs.cli.cells import number, progress
from runs.humanize import UNKNOWN, duration, rate
from runs.text import printable, shorten_name

if TYPE_CHECKING:
    from rich.console import Console

    from runs.rows import EvaluatingRow, RunDetail, RunRow

NAME_CELLS = 20
LINE_EVERY = 10.0  #: seconds between two plain lines
LOCAL_FLAGS = 3  #: their place in what termios.tcgetattr returns


class View(Protocol):
    """Where a run is watched."""

    def __enter__(self) -> View: ...

    def __exit__(self, *exception: object) -> None: ...

    def update(self, detail: RunDetail, stopping: bool = False) -> None:
        """Show where the run stands."""

    def note(self, text: str) -> None:
        """Show a line that stays."""


def view() -> View:
    """What fits standard error."""
    return Bar() if sys.stderr.isatty() else Lines()


def state(row: RunRow, stopping: bool = False, evaluating: EvaluatingRow | None = None) -> list[str]:
    """What is known of a running run, in short parts; unknown ones are left out.

    While it evaluates: how far that is, and how long this stage still takes.
    """
    if row.waits_for is not None:
        return ["stopping"] if stopping else []
    loss = number(row.loss)
    left = duration((evaluating.seconds_left if evaluating else row.seconds_left) or None)
    parts = [
        "" if loss == UNKNOWN or evaluating else f"loss {loss}",
        stage(evaluating) if evaluating and row.kind == "train" else "",
        rate(row.images_per_second),
        "" if left == UNKNOWN else f"{left} left",
    ]
    if stopping:
        parts[-1] = "stopping"
    return [part for part in parts if part and part != UNKNOWN]


def stage(now: EvaluatingRow) -> str:
    """ "samples 120/1000"; the scores are one piece of work."""
    return now.stage if now.stage == "scores" else f"{now.stage} {now.done}/{now.total}"


def reached(detail: RunDetail) -> tuple[str, int, int | None]:
    """(in words, done, total) of what the run does now: an evaluating one has stages."""
    row, now = detail.row, detail.evaluating
    if row.waits_for is not None:
        return progress(row), 0, None
    if row.kind == "evaluate" and now is not None:
        return stage(now), now.done, now.total
    return progress(row), row.step or 0, row.total_steps


class Lines:
    """For logs and pipes: a line at the first news, then one every ten seconds if anything moved."""

    def __init__(self) -> None:
        self._next = 0.0
        self._shown = ""

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing was held."""

    def update(self, detail: RunDetail, stopping: bool = False) -> None:
        step, parts = reached(detail)[0], state(detail.row, stopping, detail.evaluating)
        known = f"{step} {detail.evaluating and stage(detail.evaluating)}"
        if step == UNKNOWN or known == self._shown or time.monotonic() < self._next:
            return
        self._shown, self._next = known, time.monotonic() + LINE_EVERY
        self.note("  ".join([f"{detail.row.name}  {step}", *parts]))

    def note(self, text: str) -> None:
        sys.stderr.write(printable(text) + "\n")
        sys.stderr.flush()


class Bar:
    """For terminals: one line with a bar, redrawn in place, gone when the run has ended."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self.console: Console = Console(stderr=True, highlight=False)
        plain = [TextColumn(f"{{task.fields[{name}]}}", markup=False) for name in ("run", "step", "state")]
        self._progress = Progress(
            plain[0], BarColumn(bar_width=None), *plain[1:], console=self.console, transient=True, expand=True
        )
        self._task = self._progress.add_task("", total=None, run="", step="", state="starting")

    def __enter__(self) -> Bar:
        self._echo = _echo_of_controls(None)  # a "^C" behind the bar would wrap, and the bar be left behind
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()
        _echo_of_controls(self._echo)

    def update(self, detail: RunDetail, stopping: bool = False) -> None:
        row = detail.row
        step, done, total = reached(detail)
        parts = state(row, stopping, detail.evaluating)
        begun = "" if row.step is not None or row.waits_for is not None else "starting"
        self._progress.update(
            self._task,
            total=total,
            completed=done,
            run=shorten_name(printable(row.name), NAME_CELLS),
            step="" if step == UNKNOWN else printable(step),
            state=printable("  ".join(parts)) or ("stopping" if stopping else begun),
        )

    def note(self, text: str) -> None:
        from rich.text import Text

        self._progress.console.print(Text(printable(text)))


def _echo_of_controls(earlier: int | None) -> int | None:
    """Have the terminal not show the control keys pressed, or, given what this returned, as earlier.

    Only from the foreground: a background job that touches the terminal's settings is suspended.
    """
    if not sys.stdin.isatty() or os.tcgetpgrp(sys.stdin.fileno()) != os.getpgrp():
        return None
    attributes = termios.tcgetattr(sys.stdin)
    flags = attributes[LOCAL_FLAGS]
    attributes[LOCAL_FLAGS] = flags & ~termios.ECHOCTL if earlier is None else earlier
    termios.tcsetattr(sys.stdin, termios.TCSANOW, attributes)
    return int(flags)
