"""The log of a run: its end first, followed while it grows."""

from __future__ import annotations

from pathlib import Path

from textual.app import ComposeResult
from textual.widgets import Input

from runs.rows import RunDetail
from tui.panes.base import Pane
from tui.widgets.log_view import LogView


class RunLog(LogView):
    """A log whose esc goes on to the screen when no search is left to leave."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "leave_search":
            return bool(self._needle) or self.query_one("#log-search", Input).has_class("-open")
        return super().check_action(action, parameters)


class LogPane(Pane):
    """Standard output and error of the run's processes."""

    ACTS = frozenset({"search", "follow", "wrap"})

    def compose(self) -> ComposeResult:
        yield RunLog()

    @property
    def view(self) -> RunLog:
        return self.query_one(RunLog)

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
