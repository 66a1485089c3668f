"""Following a run until it ends: what `train`, `sample`, `evaluate` and `resume` do unless --detach, and
`wait` does."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from runs.cli.interrupts import Interrupts
from runs.cli.output import coloured, paint, print_json, say, status_text
from runs.cli.parser import INTERRUPTED
from runs.cli.progress import View, view

if TYPE_CHECKING:
    from runs.catalogue import Catalogue
    from runs.directory import RunDirectory
    from runs.rows import RunDetail, RunRow

KEPT = "; what is done is kept"
INTERVAL = 0.5  #: seconds between two looks


class Left(Exception):
    """The person stopped following, or the time was over, while the run goes on."""

    def __init__(self, row_name: str, why: str) -> None:
        super().__init__(why)
        self.row_name = row_name


def follow(
    catalogue: Catalogue,
    found: RunRow,
    interrupts: Interrupts,
    *,
    stoppable: RunDirectory | None = None,
    until: float | None = None,
) -> RunDetail:
    """`_follow`, also on a disk that fills up meanwhile: then with a catalogue in memory."""
    from runs.catalogue import Catalogue
    from runs.errors import UnwritableError

    try:
        return _follow(catalogue, found.id, interrupts, stoppable, until)
    except UnwritableError as error:
        say(f"warning: {error}; watched from the run directories instead")
    with Catalogue(catalogue.home, in_memory=True) as memory:
        memory.sync()
        return _follow(memory, memory.at(Path(found.path)).id, interrupts, stoppable, until)


def _follow(
    catalogue: Catalogue,
    run_id: int,
    interrupts: Interrupts,
    stoppable: RunDirectory | None,
    until: float | None,
) -> RunDetail:
    """Watch the run until it has ended; what is known of it then.

    With `stoppable` the first Ctrl-C asks it to stop and the second leaves; without, the first leaves.
    Raises Left when it goes on unwatched: by Ctrl-C ("interrupted"), or at `until` ("timeout", a time of
    time.monotonic).
    """
    told = len(catalogue.detail(run_id).notices)
    asked = False
    with view() as shown:
        while True:
            catalogue.sync()
            detail = catalogue.detail(run_id)
            for notice in detail.notices[told:]:
                shown.note(notice)
            told = len(detail.notices)
            if detail.row.status != "running":
                return detail
            shown.update(detail, stopping=asked)
            if interrupts.count > (1 if stoppable else 0):
                raise Left(detail.row.name, "interrupted")
            if interrupts.count and stoppable and not asked:
                asked = _ask_to_stop(stoppable, shown)
            if until is not None and time.monotonic() >= until:
                raise Left(detail.row.name, "timeout")
            interrupts.wait(INTERVAL if until is None else min(INTERVAL, max(0.0, until - time.monotonic())))


def _ask_to_stop(run: RunDirectory, shown: View) -> bool:
    """Whether it was asked: a run that has just ended cannot be."""
    from runs import queueing
    from runs.errors import RunError
    from runs.status import running
    from runs.stopping import request_stop

    try:
        request_stop(run)
    except RunError:
        if running(run.path):  # and something is wrong with it
            raise
        return False
    if queueing.awaited(run) is not None:
        shown.note("Stopping: it has not begun. Ctrl-C again stops only the watching.")
        return True
    how = {"train": ", with a checkpoint", "evaluate": KEPT, "restore": KEPT, "likelihood": KEPT}.get(
        run.kind, ""
    )
    shown.note(f"Stopping after this step{how}. Ctrl-C again stops only the watching.")
    return True


def conclude(detail: RunDetail, *, as_json: bool = False, show: bool = False, program: str) -> int:
    """Say how a run ended, draw its last samples on a terminal, and give the command's exit status."""
    from runs.cli.records import detail_record
    from runs.cli.restored import print_lines, tell_failures
    from runs.text import printable

    row = detail.row
    if as_json and row.kind == "restore":
        print_lines(detail)
    elif as_json:
        print_json(detail_record(detail))
    else:
        mark, colour = status_text(row.status)
        print(f"{printable(row.name)} {paint(mark, colour, coloured(sys.stdout))}{printable(_facts(detail))}")
        print(printable(row.path))
        if (show or sys.stdout.isatty()) and row.status in ("finished", "stopped"):
            _draw(detail)
        if row.kind == "evaluate":
            _print_scores(detail)
    failed = tell_failures(detail)
    if row.status == "finished":
        return 1 if failed else 0
    if row.status in ("failed", "lost"):
        reason = detail.error or ("its processes are gone" if row.status == "lost" else "see its log")
        say(f"{program}: {row.name} {row.status}: {reason}")
        say(f"Its log: ddpm-tui logs {row.id}")
    if row.kind in ("evaluate", "restore", "likelihood") or (
        row.kind == "train" and (detail.checkpoints or row.step is None)
    ):
        say(f"To go on with it: ddpm-tui resume {row.id}")
    return 1


def _facts(detail: RunDetail) -> str:
    from runs import likelihoods, quality
    from runs.cli.cells import number, progress
    from runs.humanize import UNKNOWN, distance, rate

    row = detail.row
    facts = {
        "step" if row.kind == "train" else "images": progress(row),
        "loss": number(row.loss),
        "fid": distance(row.fid),
        "at": rate(row.images_per_second),
        **quality.words(detail.restored),
        **likelihoods.words(detail.likelihood),
    }
    return "".join(f" · {name} {value}" for name, value in facts.items() if value != UNKNOWN)


def _draw(detail: RunDetail) -> None:
    """The newest grid as half cells, where there are colours to draw it with."""
    if not detail.samples:
        return
    from rich.console import Console

    from runs.preview import halfcells
    from runs.text import printable

    console = Console(highlight=False)
    path = Path(detail.samples[-1].path)
    if console.no_color or (console.is_terminal and console.color_system is None):
        print(f"Its samples: {printable(str(path))}")
        return
    if not console.is_terminal:  # --show into a file or a pager
        console = Console(
            highlight=False, force_terminal=True, color_system="truecolor", width=100, height=50
        )
    try:
        console.print(halfcells(path, min(console.width, 100), max(4, min(console.height - 4, 48))))
    except OSError as error:
        say(f"The samples cannot be shown: {error}")


def _print_scores(detail: RunDetail) -> None:
    from runs.cli.scores import summary
    from runs.text import printable

    for found in detail.evaluations:
        print()
        for line in summary(found):
            print(printable(line))


def left(error: Left) -> int:
    """Say that the run goes on and how to come back to it; the command's exit status."""
    say(f"{error.row_name} is still running. To watch it again: ddpm-tui wait {error.row_name!r}")
    return INTERRUPTED if str(error) == "interrupted" else 1
