"""The table that holds a window of its rows."""

from __future__ import annotations

from rich.text import Text
from textual.app import App, ComposeResult

from tests.tui.driving import until
from tui.table import Column, WindowTable
from tui.theme import DARK


class Host(App[None]):
    """A table of squares, which answers what the table asks for."""

    def __init__(self, total: int, window: int = 40) -> None:
        super().__init__()
        self.register_theme(DARK)
        self.theme = DARK.name
        self.count, self.window = total, window
        self.asked: list[int] = []
        self.highlighted: list[int | None] = []
        self.titles: list[str] = []
        self.opened: list[int] = []

    def compose(self) -> ComposeResult:
        yield WindowTable[int](lambda row: row, window=self.window)

    def on_mount(self) -> None:
        self.table.columns = [
            Column("n", "n", 5, lambda row, width, ink: Text(str(row)), right=True, sort="n"),
            Column("square", "square", 12, lambda row, width, ink: Text(str(row * row)), rank=2),
            Column("name", "name", 8, lambda row, width, ink: Text(f"[b]row[/b] {row}"), grows=True),
        ]
        self.table.focus()
        self.give(0)

    @property
    def table(self) -> WindowTable[int]:
        return self.query_one(WindowTable)

    def give(self, start: int, keep: bool = True) -> None:
        self.table.show(
            list(range(start, min(start + self.window, self.count))), start, self.count, keep=keep
        )

    def on_window_table_wanted(self, event: WindowTable.Wanted) -> None:
        self.asked.append(event.start)
        self.give(event.start)

    def on_window_table_highlighted(self, event: WindowTable.Highlighted) -> None:
        self.highlighted.append(event.row)

    def on_window_table_opened(self, event: WindowTable.Opened) -> None:
        self.opened.append(event.row)

    def on_window_table_title_clicked(self, event: WindowTable.TitleClicked) -> None:
        self.titles.append(event.column.key)


def line(app: Host, y: int) -> str:
    return app.table.render_line(y).text


async def test_it_shows_titles_and_rows_literally() -> None:
    app = Host(3)
    async with app.run_test(size=(50, 10)):
        assert line(app, 0).split() == ["n", "square", "name"]
        assert "[b]row[/b] 2" in line(app, 3)
        assert line(app, 4).strip() == ""
        assert {len(line(app, y)) for y in range(10)} == {50}


async def test_moving_scrolls_and_asks_for_what_is_missing() -> None:
    app = Host(1000)
    async with app.run_test(size=(50, 11)) as pilot:
        await pilot.press(*["pagedown"] * 6)
        await pilot.pause()
        assert app.table.cursor == 54
        assert app.asked
        assert app.table.current == 54
        assert app.highlighted[-1] == 54
        await pilot.press("end")
        await until(pilot, lambda: app.table.current == 999)
        assert "999" in line(app, 10)
        await pilot.press("home")
        await until(pilot, lambda: app.table.current == 0)


async def test_the_cursor_stays_on_its_row_when_rows_come_before_it() -> None:
    app = Host(30)
    async with app.run_test(size=(50, 11)) as pilot:
        await pilot.press(*["down"] * 15)
        top = app.table.scroll_offset.y
        app.table.show([100, 101, *range(30)], 0, 32)
        await pilot.pause()
        assert app.table.current == 15
        assert app.table.scroll_offset.y == top + 2
        app.table.show(list(range(10)), 0, 10)
        assert app.table.cursor == 9


async def test_a_row_that_went_away_leaves_the_cursor_where_it_was() -> None:
    app = Host(30)
    async with app.run_test(size=(50, 11)) as pilot:
        await pilot.press("down", "down")
        app.table.show([0, 1, *range(3, 30)], 0, 29)
        assert app.table.current == 3


async def test_narrow_tables_lose_columns_of_the_highest_rank() -> None:
    app = Host(3)
    async with app.run_test(size=(24, 10)):
        assert line(app, 0).split() == ["n", "name"]


async def test_clicks_move_open_and_name_the_column() -> None:
    app = Host(30)
    async with app.run_test(size=(50, 11)) as pilot:
        await pilot.click(WindowTable, offset=(20, 6))
        assert app.table.cursor == 5
        await pilot.click(WindowTable, offset=(5, 0))
        assert app.titles == ["n"]
        await pilot.click(WindowTable, offset=(20, 2), times=2)
        assert app.opened == [1]


async def test_a_click_below_the_last_row_does_nothing() -> None:
    app = Host(3)
    async with app.run_test(size=(50, 11)) as pilot:
        await pilot.click(WindowTable, offset=(5, 9))
        assert app.table.cursor == 0


async def test_no_rows_at_all() -> None:
    app = Host(0)
    async with app.run_test(size=(50, 11)) as pilot:
        await pilot.press("down", "end", "pageup")
        assert app.table.current is None
