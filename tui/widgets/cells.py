"""Pictures in a table: a row for each solver, a column for each step count, the same seed in all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widget import Widget
from textual.widgets import Static

from tui.widgets.picture import Picture

Key = tuple[str, int]  #: solver and steps

#: Cells that the solvers' names take.
NAMES = 12


class Cells(VerticalScroll, can_focus=False, inherit_bindings=False):
    """`lay_out` makes the rows anew; `fill` and `tell` change one cell; `by_row` scrolls."""

    DEFAULT_CSS = f"""
    Cells {{
        height: 1fr;
        scrollbar-size-vertical: 1;
        & > Horizontal {{ height: auto; }}
        & .solver {{ width: {NAMES}; color: $foreground; text-style: bold; padding: 1 0 0 0; }}
        & Picture {{ width: 1fr; margin: 0 1 0 0; }}
    }}
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - as Textual names it
        super().__init__(id=id)
        self._pictures: dict[Key, Picture] = {}

    def compose(self) -> ComposeResult:
        return ()

    async def lay_out(
        self, solvers: Mapping[str, str], steps: Sequence[int], columns: int, rows: int
    ) -> None:
        """Empty cells for solvers, each with its title; a picture has `columns` and `rows`."""
        await self.remove_children()
        self._pictures = {
            (solver, count): Picture(alt="waiting", max_columns=max(columns, 2 * rows))
            for solver in solvers
            for count in steps
        }
        lines: list[Widget] = []
        for solver, title in solvers.items():
            own = [self._pictures[solver, count] for count in steps]
            for picture in own:
                picture.styles.height = rows
            lines.append(Horizontal(Static(title, markup=False, classes="solver"), *own))
        await self.mount_all(lines)

    @property
    def keys(self) -> list[Key]:
        """The cells, row by row."""
        return list(self._pictures)

    def picture(self, key: Key) -> Picture | None:
        """A cell."""
        return self._pictures.get(key)

    def by_row(self, by: int) -> None:
        """One solver down (or up)."""
        lines = list(self.query(Horizontal))
        if lines:
            self.scroll_relative(y=by * lines[0].outer_size.height, animate=False)

    def fill(self, key: Key, png: bytes, caption: str) -> None:
        """What was drawn for a cell."""
        from PIL import Image

        picture = self._pictures.get(key)
        if picture is not None:
            picture.show(Image.open(BytesIO(png), formats=["PNG"]), caption)

    def tell(self, key: Key, words: str) -> None:
        """Why a cell is still empty."""
        picture = self._pictures.get(key)
        if picture is not None:
            picture.alt = words
