"""The scrolled lines of a log."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.worker import get_current_worker

from runs.text import width
from tui.widgets.log_file import LogFile

_POLL_SECONDS = 0.5
_MARGIN = 60  #: lines read ahead, above and below those in view


class LogLines(ScrollView, can_focus=True):
    """The lines of one file; it reads them, and looks for new ones, in threads and only while it is shown.

    The keys of LogView act on it. Lines are named by their places (see `log_file`).
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"loglines--match", "loglines--found"}
    DEFAULT_CSS = """
    LogLines {
        height: 1fr;
        scrollbar-size-horizontal: 0;
        scrollbar-size-vertical: 1;
        & > .loglines--match { background: $warning 40%; }
        & > .loglines--found { background: $warning; color: $background; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("g,home", "top", "Top", show=False),
        Binding("G,end", "bottom", "Bottom", show=False),
    ]

    follow: reactive[bool] = reactive(True)
    wrap: reactive[bool] = reactive(False)

    class Changed(Message):
        """What can be told of the view changed: lines, place, follow, wrap."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, LogLines.Changed)

    class Unreadable(Message):
        """The file cannot be read; why."""

        def __init__(self, reason: str) -> None:
            super().__init__()
            self.reason = reason

    class _Idle(Message, bubble=False):
        def __init__(self, log: LogFile) -> None:
            super().__init__()
            self.log = log

    class _Indexed(Message, bubble=False):
        def __init__(self, log: LogFile, first: int, end: int, anew: bool) -> None:
            super().__init__()
            self.log, self.first, self.end, self.anew = log, first, end, anew

    class _Read(Message, bubble=False):
        def __init__(self, log: LogFile, lines: dict[int, str]) -> None:
            super().__init__()
            self.log, self.lines = log, lines

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - as Textual names it
        super().__init__(id=id)
        self._log: LogFile | None = None
        self._first = self._end = 0  #: places known here; the file's own may be ahead
        self._texts: dict[int, str] = {}
        self._needle = ""
        self._found: int | None = None
        self._widest = 0
        self._settling = False  #: scrolled by ourselves, not by a person
        self._busy = False  #: a thread is extending the index
        self._visible: list[tuple[int, int]] = []  #: (place, part) of every row in view

    def on_mount(self) -> None:
        self.set_interval(_POLL_SECONDS, self.poll)

    # -- the file -----------------------------------------------------------------------------------

    def open(self, path: Path | None) -> None:
        """Show this file from its end, following it."""
        self._log = None if path is None else LogFile(path)
        self._busy = False
        self._forget()
        self._first = self._end = 0
        self.follow = True
        self._settle()
        self.poll()

    @property
    def total(self) -> int:
        """Lines known so far."""
        return self._end - self._first

    @property
    def file(self) -> LogFile | None:
        """The file that is shown."""
        return self._log

    @property
    def top(self) -> int:
        """Place of the first line in view."""
        return self._first + self.scroll_offset.y

    def poll(self) -> None:
        """Look for new lines in a thread, if this is on screen and no thread is at it."""
        if self._log is None or self._busy or not self.is_mounted:
            return
        if self.screen.is_current and self.size.height and self.is_on_screen:
            self._busy = True
            log = self._log
            self.run_worker(lambda: self._index(log), thread=True, group="log-index", exit_on_error=False)

    def _index(self, log: LogFile) -> None:
        worker = get_current_worker()
        try:
            changed, anew = log.grow()
            if changed:
                self.post_message(self._Indexed(log, log.first, log.end, anew))
            while not log.complete and not worker.is_cancelled:
                log.index_back(4)
                self.post_message(self._Indexed(log, log.first, log.end, False))
        except OSError as error:  # looked at again with the next poll
            self.post_message(self.Unreadable(error.strerror or str(error)))
        finally:
            self.post_message(self._Idle(log))

    def on_log_lines__idle(self, message: _Idle) -> None:
        if message.log is self._log:
            self._busy = False

    def on_log_lines__indexed(self, message: _Indexed) -> None:
        if message.log is not self._log:
            return
        if message.anew:
            self._forget()
            self._first, self._end = message.first, message.end
        else:
            before, self._first = self._first, message.first
            self._texts.pop(self._end - 1, None)  # the last line may have become longer
            self._end = message.end
            if before != self._first and not self.follow:
                self._settle(self.scroll_offset.y + before - self._first)
                return
        self._settle()

    def _forget(self) -> None:
        self._texts.clear()
        self._found, self._widest = None, 0

    # -- reading ------------------------------------------------------------------------------------

    def _want(self) -> None:
        """Have the lines in and around the view read, where they are not known yet."""
        log = self._log
        if log is None:
            return
        start = max(self._first, self.top - _MARGIN)
        stop = min(self._end, self.top + self.size.height + _MARGIN)
        missing = [place for place in range(start, stop) if place not in self._texts]
        if missing:
            self.run_worker(
                lambda: self._read(log, missing), thread=True, group="log-read", exit_on_error=False
            )

    def _read(self, log: LogFile, places: list[int]) -> None:
        self.post_message(self._Read(log, {place: log.line(place) for place in places}))

    def on_log_lines__read(self, message: _Read) -> None:
        if message.log is not self._log:
            return
        if len(self._texts) > 5000:
            self._texts.clear()
        self._texts.update(message.lines)
        self._widest = max(self._widest, *(width(text) for text in message.lines.values()))
        self._settle(self.scroll_offset.y)

    # -- view ---------------------------------------------------------------------------------------

    def _settle(self, y: int | None = None) -> None:
        """Adapt the scrolled area to the lines known; then to the end when following, else to `y`."""
        height = self._view.height
        rows = self.total if not self.wrap else self._tail_top() - self._first + height
        self._settling = True
        self.virtual_size = Size(0 if self.wrap else self._widest, rows)
        if self.follow:
            self.scroll_to(y=self.max_scroll_y, animate=False, force=True)
        elif y is not None:
            self.scroll_to(y=y, animate=False, force=True)
        self._settling = False
        self._want()
        self.refresh()
        self.post_message(self.Changed())

    @property
    def _view(self) -> Size:
        """What is left beside the scrollbar."""
        return self.scrollable_content_region.size

    def _tail_top(self) -> int:
        """Place of the first line of which something is in view when the last one is at the bottom."""
        place, rows = self._end, 0
        while place > self._first and rows < self._view.height:
            place -= 1
            rows += len(self._parts(place))
        return place

    def _parts(self, place: int) -> list[str]:
        """The rows of a wrapped line."""
        return wrapped(self._texts.get(place, ""), max(self._view.width, 1))

    def _rows(self) -> list[tuple[int, int]]:
        """(place, part) of every row in view."""
        height = self._view.height
        if not self.wrap:
            return [(place, 0) for place in range(self.top, min(self.top + height, self._end))]
        at_end = self.scroll_offset.y >= self.max_scroll_y
        rows: list[tuple[int, int]] = []
        for place in range(self._tail_top() if at_end else self.top, self._end):
            rows += [(place, part) for part in range(len(self._parts(place)))]
            if not at_end and len(rows) >= height:
                break
        return rows[-height:] if at_end else rows[:height]

    def render_lines(self, crop: Region) -> list[Strip]:
        self._visible = self._rows()
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        room, style = self._view.width, self.rich_style
        if y >= len(self._visible):
            empty = y == 0 and self._log is not None and not self.total
            muted = Style(color=(self.background_colors[1].blend(self.styles.color, 0.5)).rich_color)
            return Strip([Segment("no log yet" if empty else "", muted)]).adjust_cell_length(room)
        place, part = self._visible[y]
        text = self._parts(place)[part] if self.wrap else self._texts.get(place, "")
        left = 0 if self.wrap else self.scroll_offset.x
        return Strip(self._segments(text, place)).crop_extend(left, left + room, style)

    def _segments(self, text: str, place: int) -> list[Segment]:
        """The text with what is searched for marked."""
        base = self.rich_style
        folded, needle = text.casefold(), self._needle.casefold()
        if not needle or needle not in folded or len(folded) != len(text):
            return [Segment(text, base)]
        found = place == self._found
        style = self.get_component_rich_style(f"loglines--{'found' if found else 'match'}")
        style += Style(bold=found, underline=True)
        segments, at = [], 0
        while (hit := folded.find(needle, at)) >= 0:
            segments += [Segment(text[at:hit], base), Segment(text[hit : hit + len(needle)], style)]
            at = hit + len(needle)
        return [*segments, Segment(text[at:], base)]

    # -- moving -------------------------------------------------------------------------------------

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) == round(new_value):
            return
        if not self._settling and new_value < old_value:
            self.follow = False
        self._want()
        self.post_message(self.Changed())

    def watch_follow(self, follow: bool) -> None:
        if follow:
            self._settle()
        self.post_message(self.Changed())

    def watch_wrap(self) -> None:
        self._settle(self.scroll_offset.y)

    def on_resize(self) -> None:
        self._settle(self.scroll_offset.y)
        self.poll()

    def on_show(self) -> None:
        self.poll()

    def action_top(self) -> None:
        """To the first line."""
        self.follow = False
        self.scroll_to(y=0, animate=False, force=True)

    def action_bottom(self) -> None:
        """To the last line, and stay there."""
        self.follow = True
        self._settle()

    # -- searching ----------------------------------------------------------------------------------

    def mark(self, needle: str, place: int | None = None) -> None:
        """Mark this text wherever it is in view; with `place` go to that line, which is the one found."""
        self._needle, self._found = needle, place
        if place is not None and all(place != shown for shown, _ in self._rows()):
            self.follow = False
            self.scroll_to(y=max(0, place - self._first - self._view.height // 2), animate=False, force=True)
        self._want()
        self.refresh()

    @property
    def found(self) -> int | None:
        """Place of the line that was found last."""
        return self._found

    @property
    def bottom(self) -> int:
        """Place of the last line in view."""
        rows = self._rows()
        return rows[-1][0] if rows else self._end - 1


@lru_cache(maxsize=2000)
def wrapped(text: str, room: int) -> list[str]:
    """`text` in rows of at most `room` cells; at least one."""
    if text.isascii():
        return [text[i : i + room] for i in range(0, len(text), room)] or [""]
    rows, row, used = [], "", 0
    for character in text:
        size = width(character)
        if used + size > room and row:
            rows.append(row)
            row, used = "", 0
        row, used = row + character, used + size
    return [*rows, row]
