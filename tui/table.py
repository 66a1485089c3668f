"""A table of any number of rows that holds only a window of them and draws only the lines in sight."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.keys import LISTS, bindings
from tui.theme import Ink

Row = TypeVar("Row")

_GAP = 2
_MARGIN = 2  # the mark and a space


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """A column of fixed width; the one that `grows` takes what is left of the line."""

    key: str
    title: str
    width: int
    cell: Callable[[Row, int, Ink], Text]  #: (row, width, colours) -> what stands in it
    right: bool = False  #: flush right
    grows: bool = False
    rank: int = 0  #: columns of the highest rank leave first where there is no room
    sort: str | None = None  #: the field to sort by when its title is clicked


class WindowTable(ScrollView, Generic[Row], can_focus=True):
    """Rows `start` … of `total`, with a cursor that may be anywhere; asks by `Wanted` for rows it lacks."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(LISTS)]

    class Highlighted(Message):
        """The cursor stands on another row, or on none."""

        def __init__(self, table: WindowTable[Any], row: Any) -> None:
            super().__init__()
            self.table, self.row = table, row

        @property
        def control(self) -> WindowTable[Any]:
            return self.table

    class Opened(Message):
        """A row was double-clicked."""

        def __init__(self, table: WindowTable[Any], row: Any) -> None:
            super().__init__()
            self.table, self.row = table, row

        @property
        def control(self) -> WindowTable[Any]:
            return self.table

    class TitleClicked(Message):
        """A column's title was clicked."""

        def __init__(self, table: WindowTable[Any], column: Column[Any]) -> None:
            super().__init__()
            self.table, self.column = table, column

        @property
        def control(self) -> WindowTable[Any]:
            return self.table

    class Wanted(Message):
        """Rows from `start` on are about to be in sight."""

        def __init__(self, table: WindowTable[Any], start: int) -> None:
            super().__init__()
            self.table, self.start = table, start

        @property
        def control(self) -> WindowTable[Any]:
            return self.table

    def __init__(
        self,
        key: Callable[[Row], int],
        *,
        window: int = 200,
        id: str | None = None,  # noqa: A002 - as Textual names it
        header: bool = True,
    ) -> None:
        super().__init__(id=id)
        self._key = key
        self._window = window
        self._header = 1 if header else 0
        self.columns: Sequence[Column[Row]] = ()
        self.rows: list[Row] = []
        self.start = 0
        self.total = 0
        self.cursor = 0
        self.marked: set[int] = set()
        self.sorted_by: tuple[str, bool] | None = None  #: (field, descending)
        self._asked: int | None = None
        self._highlighted: int | None = None
        self._strips: dict[tuple[int, bool, bool], Strip] = {}
        self._fit: list[tuple[Column[Row], int]] = []

    # -- data ---------------------------------------------------------------------------------------

    @property
    def current(self) -> Row | None:
        """The row under the cursor, if it is there already."""
        return self._at(self.cursor)

    def in_sight(self) -> list[Row]:
        """The rows that are visible now."""
        first, last = self._visible()
        return [row for row in map(self._at, range(first, last)) if row is not None]

    def show(self, rows: list[Row], start: int, total: int, *, keep: bool = True) -> None:
        """Sets the window. With `keep` the cursor stays on its row, wherever that is now; else it goes up."""
        before, at = self.current, self.cursor
        same = keep and start == self.start and total == self.total and len(rows) == len(self.rows)
        changed = [i for i, (a, b) in enumerate(zip(self.rows, rows, strict=False)) if a != b]
        self.rows, self.start, self._asked = rows, start, None
        if total != self.total:
            self.total = total
            self.virtual_size = Size(self.size.width, total + self._header)
        if not keep:
            self.cursor = 0
            self.scroll_to(y=0, animate=False)
        elif before is not None:
            places = {self._key(row): start + i for i, row in enumerate(rows)}
            self.cursor = places.get(self._key(before), at)
        self.cursor = max(0, min(self.cursor, total - 1))
        if self.cursor != at and keep:
            # The list moved under the cursor: move the view with it, so that nothing seems to jump.
            self.scroll_to(y=max(0, self.scroll_offset.y + self.cursor - at), animate=False)
        if same and self.cursor == at:
            self.redraw_rows({start + i for i in changed})
        else:
            self.redraw()
        self._announce()

    def redraw_rows(self, indexes: set[int]) -> None:
        """Draws these rows anew."""
        for place in [place for place in self._strips if place[0] in indexes]:
            del self._strips[place]
        first, last = self._visible()
        for index in indexes:
            if first <= index < last:
                self._refresh_row(index)

    def redraw(self) -> None:
        """Draws everything anew: the data, the columns or the colours are others."""
        self._strips.clear()
        self._fit = _fitted(self.columns, self.size.width - _MARGIN)
        self.refresh()

    def find(self, key: int) -> int | None:
        """The index of a row in the window."""
        return next((self.start + i for i, row in enumerate(self.rows) if self._key(row) == key), None)

    def move_to(self, index: int) -> None:
        """Puts the cursor on a row and brings it into sight."""
        index = max(0, min(index, self.total - 1))
        before, self.cursor = self.cursor, index
        height = max(1, self.size.height - self._header)
        top = self.scroll_offset.y
        if index < top:
            self.scroll_to(y=index, animate=False)
        elif index >= top + height:
            self.scroll_to(y=index - height + 1, animate=False)
        self._refresh_row(before)
        self._refresh_row(index)
        self._ask()
        self._announce()

    # -- keys and mouse -----------------------------------------------------------------------------

    def action_move(self, rows: int) -> None:
        self.move_to(self.cursor + rows)

    def action_page(self, pages: int) -> None:
        self.move_to(self.cursor + pages * max(1, self.size.height - self._header - 1))

    def action_first(self) -> None:
        self.move_to(0)

    def action_last(self) -> None:
        self.move_to(self.total - 1)

    def on_click(self, event: events.Click) -> None:
        if self._header and event.y == 0:
            column = self._column_at(event.x)
            if column is not None:
                self.post_message(self.TitleClicked(self, column))
            return
        index = self.scroll_offset.y + event.y - self._header
        if not 0 <= index < self.total:
            return
        self.move_to(index)
        row = self._at(index)
        if event.chain == 2 and row is not None:
            self.post_message(self.Opened(self, row))

    def _column_at(self, x: int) -> Column[Row] | None:
        left = _MARGIN
        for column, width in self._fit:
            if left <= x < left + width + _GAP:
                return column
            left += width + _GAP
        return None

    # -- drawing ------------------------------------------------------------------------------------

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, self.total + self._header)
        self.redraw()
        self.move_to(self.cursor)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._ask()

    def watch_has_focus(self, _has_focus: bool) -> None:
        super().watch_has_focus(_has_focus)
        self._refresh_row(self.cursor)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._strips.clear()

    def render_line(self, y: int) -> Strip:
        """One line of the table: the titles, or a row."""
        width = self.size.width
        if self._header and y == 0:
            return self._titles(width)
        index = self.scroll_offset.y + y - self._header
        if index >= self.total:
            return Strip.blank(width, self.rich_style)
        row = self._at(index)
        if row is None:
            return Strip([*Text(" ·").render(self.app.console)]).extend_cell_length(width, self.rich_style)
        place = (index, index == self.cursor, self.has_focus)
        if place not in self._strips:
            self._strips[place] = self._drawn(row, index == self.cursor, width)
        return self._strips[place]

    def _titles(self, width: int) -> Strip:
        ink = Ink.of(self.app.theme_variables)
        line = Text(" " * _MARGIN, no_wrap=True, end="")
        for column, cells in self._fit:
            title = Text(column.title, style=ink.dim)
            if self.sorted_by is not None and column.sort == self.sorted_by[0]:
                title = Text(column.title + (" ↓" if self.sorted_by[1] else " ↑"), style=ink.primary)
            line.append_text(_placed(title, cells, column.right)).append(" " * _GAP)
        return self._strip(line, width, Style())

    def _drawn(self, row: Row, on_cursor: bool, width: int) -> Strip:
        variables = self.app.theme_variables
        ink = Ink.of(variables)
        mark = "◆ " if self._key(row) in self.marked else "  "
        line = Text(style=ink.text, no_wrap=True, end="").append(mark, style=ink.accent)
        for column, cells in self._fit:
            line.append_text(_placed(column.cell(row, cells, ink), cells, column.right)).append(" " * _GAP)
        if not on_cursor:
            return self._strip(line, width, Style())
        kind = "block-cursor" if self.has_focus else "block-cursor-blurred"
        return self._strip(line, width, Style(bgcolor=variables[f"{kind}-background"]))

    def _strip(self, line: Text, width: int, ground: Style) -> Strip:
        style = self.rich_style + ground
        strip = Strip(line.render(self.app.console)).crop_extend(0, width, style)
        return strip.apply_style(style)

    def _refresh_row(self, index: int) -> None:
        y = index - self.scroll_offset.y + self._header
        if self._header <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    # -- window -------------------------------------------------------------------------------------

    def _at(self, index: int) -> Row | None:
        at = index - self.start
        return self.rows[at] if 0 <= at < len(self.rows) else None

    def _visible(self) -> tuple[int, int]:
        first = self.scroll_offset.y
        return first, min(self.total, first + max(0, self.size.height - self._header))

    def _ask(self) -> None:
        """Asks for another window when the rows in sight, and some beyond, are not all in this one."""
        first, last = self._visible()
        beyond = self._window // 8
        have = range(self.start, self.start + len(self.rows))
        lacking = [i for i in (max(0, first - beyond), min(self.total, last + beyond) - 1) if i not in have]
        if not lacking or not self.total:
            return
        offset = max(0, min((first + last) // 2 - self._window // 2, self.total - self._window))
        if offset != self._asked:
            self._asked = offset
            self.post_message(self.Wanted(self, offset))

    def _announce(self) -> None:
        row = self.current
        key = None if row is None else self._key(row)
        if key != self._highlighted:
            self._highlighted = key
            self.post_message(self.Highlighted(self, row))


def _fitted(columns: Sequence[Column[Row]], width: int) -> list[tuple[Column[Row], int]]:
    """The columns that have room in `width` cells, each with its width."""
    kept = list(columns)
    while kept and sum(c.width + _GAP for c in kept) > width:
        worst = max(kept, key=lambda c: (c.rank, kept.index(c)))
        if worst.rank == 0:
            break
        kept.remove(worst)
    spare = max(0, width - sum(c.width + _GAP for c in kept))
    return [(c, c.width + spare if c.grows else c.width) for c in kept]


def _placed(cell: Text, width: int, right: bool) -> Text:
    """The cell at exactly `width` cells, cut with … where it is longer."""
    cell.truncate(width, overflow="ellipsis")
    missing = width - cell.cell_len
    if missing > 0:
        cell = Text(" " * missing).append_text(cell) if right else cell.append(" " * missing)
    return cell
