"""The checkpoints of a run; enter draws images with one."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from runs import humanize
from runs.rows import CheckpointRow, RunDetail, RunRow
from tui.panes.base import Pane
from tui.table import Column, WindowTable


def _columns() -> list[Column[CheckpointRow]]:
    return [
        Column("step", "step", 10, lambda c, w, i: Text(f"{c.step:,}", style=i.strong), right=True),
        Column(
            "images",
            "images seen",
            12,
            lambda c, w, i: Text(humanize.count(c.images_seen)),
            right=True,
            rank=2,
        ),
        Column(
            "bytes",
            "size",
            9,
            lambda c, w, i: Text(humanize.bytes_text(c.bytes), style=i.dim),
            right=True,
            rank=1,
        ),
        Column(
            "kept",
            "kept",
            12,
            lambda c, w, i: Text("for ever" if c.milestone else "", style=i.accent),
            rank=3,
        ),
        Column(
            "age", "age", 6, lambda c, w, i: Text(humanize.age(c.created_at), style=i.dim), right=True, rank=1
        ),
        Column("path", "folder", 12, lambda c, w, i: Text(Path(c.path).name, style=i.faint), grows=True),
    ]


class CheckpointsPane(Pane):
    """Newest first."""

    ACTS = frozenset({"sample"})
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "sample", show=False)]
    _run: RunRow | None = None

    def compose(self) -> ComposeResult:
        yield WindowTable[CheckpointRow](lambda c: c.step, id="checkpoints")
        yield Static(id="no-checkpoints", markup=False)

    def on_mount(self) -> None:
        self.table.columns = _columns()

    @property
    def table(self) -> WindowTable[CheckpointRow]:
        return self.query_one("#checkpoints", WindowTable)

    def step(self) -> int | None:
        return self.table.current.step if self.is_mounted and self.table.current else None

    def enter(self) -> None:
        self.table.focus()

    def show(self, detail: RunDetail) -> None:
        self._run = detail.row
        rows = list(reversed(detail.checkpoints))
        self.table.show(rows, 0, len(rows))
        self.table.display = bool(rows)
        every = detail.config.get("training", {}).get("checkpoint_every")
        note = (
            "" if rows else f"No checkpoint yet; one is written every {every:,} steps." if every else "None."
        )
        self.query_one("#no-checkpoints", Static).update(Text(note, style=self.ink.dim))

    @on(WindowTable.Opened)
    def action_sample(self) -> None:
        from tui.screens.sample import SampleScreen

        checkpoint = self.table.current
        if checkpoint is not None and self._run is not None:
            self.app.push_screen(SampleScreen(self._run, checkpoint.step))
