"""A log pane: the end first, following, search, wrapping, for files of any size."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input, Static
from textual.worker import Worker, get_current_worker

from runs.text import printable
from tui.widgets.log_file import LogFile
from tui.widgets.log_lines import LogLines


class LogView(Vertical):
    """Shows a log file, last lines first, and what comes.

    `open` takes the path; nothing is read on the UI thread. g G top and bottom, F follows, w wraps long
    lines, / searches upwards from the end, n the next one further up, N back down; escape leaves the search.
    Looking for new lines stops while the pane is hidden.
    """

    DEFAULT_CSS = """
    LogView {
        width: 1fr;
        height: 1fr;
        & > #log-search { display: none; }
        & > #log-search.-open { display: block; }
        & > #log-state { height: 1; color: $foreground 60%; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("F", "follow", "Follow", show=False),
        Binding("w", "wrap", "Wrap", show=False),
        Binding("slash", "search", "Search", show=False),
        Binding("n", "next(-1)", "Next match", show=False),
        Binding("N", "next(1)", "Match before", show=False),
        Binding("escape", "leave_search", "Leave search", show=False),
    ]

    class _Searched(Message, bubble=False):
        def __init__(self, log: LogFile, needle: str, place: int | None) -> None:
            super().__init__()
            self.log, self.needle, self.place = log, needle, place

    def __init__(
        self,
        path: Path | None = None,
        *,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - as Textual names it
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._path = path
        self._needle = ""
        self._note = ""
        self._search: Worker[None] | None = None
        self.lines = LogLines(id="log-lines")  #: the scrolled part, which takes the focus

    def compose(self) -> ComposeResult:
        yield self.lines
        yield Input(placeholder="search, any case", compact=True, id="log-search")
        yield Static(id="log-state", markup=False)

    def on_mount(self) -> None:
        self.lines.open(self._path)

    def open(self, path: Path | None) -> None:
        """Show this file; None shows nothing."""
        if path != self._path:
            self._path, self._needle, self._note = path, "", ""
            self.lines.mark("")
            self.lines.open(path)

    @property
    def path(self) -> Path | None:
        """The file that is shown."""
        return self._path

    # -- keys ---------------------------------------------------------------------------------------

    def action_follow(self) -> None:
        """Stay at the end while lines come, or stop."""
        self.lines.follow = not self.lines.follow

    def action_wrap(self) -> None:
        """Wrap long lines, or cut them at the edge."""
        self.lines.wrap = not self.lines.wrap

    def action_search(self) -> None:
        """Ask what to search for."""
        box = self.query_one("#log-search", Input)
        box.add_class("-open")
        box.value = self._needle
        box.focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without a search to leave, escape is left to the screen."""
        if action == "leave_search":
            return bool(self._needle or self._note) or self.query_one("#log-search").has_class("-open")
        return super().check_action(action, parameters)

    def action_leave_search(self) -> None:
        """Close the question, or forget what was searched for."""
        if self._close_box():
            return
        self._needle = self._note = ""
        self.lines.mark("")
        self._tell()

    def action_next(self, step: int) -> None:
        """The next match upwards (-1) or downwards (1)."""
        found = self.lines.found
        start = self.lines.bottom if found is None else found + step
        self._find(start, step)

    def on_input_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self._needle = message.value
        self._close_box()
        self.lines.mark(self._needle)
        if self._needle:
            self._find(self.lines.bottom, -1)
        else:
            self._note = ""
            self._tell()

    def _close_box(self) -> bool:
        box = self.query_one("#log-search", Input)
        was_open = box.has_class("-open")
        box.remove_class("-open")
        if was_open:
            self.lines.focus()
        return was_open

    # -- searching ----------------------------------------------------------------------------------

    def _find(self, start: int, step: int) -> None:
        log, needle = self.lines.file, self._needle
        if log is None or not needle:
            return
        self._note = "searching …"
        self._tell()
        self._search = self.run_worker(
            lambda: self._look(log, needle, start, step),
            thread=True,
            exclusive=True,
            group="log-search",
            exit_on_error=False,
        )

    def _look(self, log: LogFile, needle: str, start: int, step: int) -> None:
        worker = get_current_worker()
        place = log.find(needle, start, step, lambda: worker.is_cancelled)
        if not worker.is_cancelled:
            self.post_message(self._Searched(log, needle, place))

    def on_log_view__searched(self, message: _Searched) -> None:
        if message.log is not self.lines.file or message.needle != self._needle:
            return
        self._note = "" if message.place is not None else f"no “{printable(self._needle)}”"
        self.lines.mark(self._needle, message.place)
        self._tell()

    # -- the line below -----------------------------------------------------------------------------

    def on_log_lines_changed(self, message: LogLines.Changed) -> None:
        message.stop()
        self._tell()

    def on_log_lines_unreadable(self, message: LogLines.Unreadable) -> None:
        message.stop()
        self._note = f"cannot be read: {message.reason}"
        self._tell()

    def _tell(self) -> None:
        """Where one is, and what is switched on."""
        text = Text(self.state, no_wrap=True, overflow="ellipsis")
        self.query_one("#log-state", Static).update(text, layout=False)

    @property
    def state(self) -> str:
        """The line below the log: "line 12 of 900 · following · “nan”"."""
        lines = self.lines
        parts = []
        if lines.total:
            last = lines.bottom - (lines.file.first if lines.file else 0) + 1
            parts.append(f"line {last:,} of {lines.total:,}")
        parts.append("following" if lines.follow else "F to follow")
        if lines.wrap:
            parts.append("wrapped")
        if self._note or self._needle:
            parts.append(self._note or f"“{printable(self._needle)}”  n next  N back")
        return " · ".join(parts)
