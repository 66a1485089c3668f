"""A table in groups: headings over its whole width, which the cursor passes by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from rich.style import Style
from rich.text import Text
from textual.strip import Strip

from tui.table import WindowTable
from tui.theme import Ink

Row = TypeVar("Row")


class GroupedTable(WindowTable[Row], Generic[Row]):
    """A table some of whose rows are headings: `heading(row, width, colours)` says what stands there.

    It is None for any other row.
    """

    def __init__(
        self,
        key: Callable[[Row], int],
        heading: Callable[[Row, int, Ink], Text | None],
        *,
        id: str | None = None,  # noqa: A002 - as Textual names it
    ) -> None:
        super().__init__(key, id=id)
        self._heading = heading

    def show(self, rows: list[Row], start: int, total: int, *, keep: bool = True) -> None:
        super().show(rows, start, total, keep=keep)
        self.move_to(self.cursor)

    def move_to(self, index: int) -> None:
        """To a row that is no heading: the next one in the direction of the move, else in the other."""
        index = max(0, min(index, self.total - 1))
        onward = range(index, self.total) if index >= self.cursor else range(index, -1, -1)
        back = range(index, -1, -1) if index >= self.cursor else range(index, self.total)
        found = next((i for i in (*onward, *back) if self._is_row(i)), index)
        super().move_to(found)
        first = found
        while first and not self._is_row(first - 1):
            first -= 1
        if first < self.scroll_offset.y:  # the first row of a group is seen with its heading
            self.scroll_to(y=first, animate=False)

    def _is_row(self, index: int) -> bool:
        row = self._at(index)
        return row is not None and self._words(row) is None

    def _words(self, row: Row) -> Text | None:
        return self._heading(row, self.size.width, Ink.of(self.app.theme_variables))

    def _drawn(self, row: Row, on_cursor: bool, width: int) -> Strip:
        words = self._words(row)
        if words is None:
            return super()._drawn(row, on_cursor, width)
        words.truncate(width, overflow="ellipsis")
        return self._strip(words, width, Style())
