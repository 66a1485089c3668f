"""The log of a run: its end first, followed while it grows."""

from __future__ import annotations

from pathlib import Path

from textual.app import ComposeResult

from runs.rows import RunDetail
from tui.panes.base import Pane
from tui.widgets.log_view import LogView


class LogPane(Pane):
    """Standard output and error of the run's processes."""

    ACTS = frozenset({"search", "follow", "wrap"})

    def compose(self) -> ComposeResult:
        yield LogView()

    @property
    def view(self) -> LogView:
        return self.query_one(LogView)

    def enter(self) -> None:
        self.view.lines.focus()

    def show(self, detail: RunDetail) -> None:
        self.view.open(Path(detail.row.path) / "log.txt")

    def action_search(self) -> None:
        self.view.action_search()

    def action_follow(self) -> None:
        self.view.action_follow()

    def action_wrap(self) -> None:
        self.view.action_wrap()
