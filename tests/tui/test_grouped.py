"""A table in groups: its headings are passed by and stay in sight."""

from __future__ import annotations

import pytest
from rich.text import Text
from textual.app import App, ComposeResult

from tests.tui.driving import until
from tui.grouped import GroupedTable
from tui.table import Column
from tui.theme import DARK, Ink


def heading(row: int, width: int, ink: Ink) -> Text | None:
    """Every fifth row, and the last three."""
    return Text(f"group {row} " + "x" * 200) if row % 5 == 0 or row >= 18 else None


class Host(App[None]):
    def __init__(self, rows: list[int]) -> None:
        super().__init__()
        self.register_theme(DARK)
        self.theme = DARK.name
        self.rows = rows

    def compose(self) -> ComposeResult:
        yield GroupedTable[int](lambda row: row, heading)

    @property
    def table(self) -> GroupedTable[int]:
        return self.query_one(GroupedTable)

    def on_mount(self) -> None:
        self.table.columns = [Column("n", "n", 20, lambda row, width, ink: Text(f"row {row}"))]
        self.table.show(self.rows, 0, len(self.rows))
        self.table.focus()

    def lines(self) -> list[str]:
        return [self.table.render_line(y).text.rstrip() for y in range(self.table.size.height)]


@pytest.fixture
def app() -> Host:
    return Host(list(range(21)))


async def test_the_cursor_passes_headings_by_in_both_directions(app) -> None:
    async with app.run_test(size=(40, 10)) as pilot:
        await until(pilot, lambda: app.table.cursor == 1)
        await pilot.press("down", "down", "down")
        assert app.table.cursor == 4
        await pilot.press("down")
        assert app.table.cursor == 6
        await pilot.press("up")
        assert app.table.cursor == 4
        await pilot.press("end")
        assert app.table.cursor == 17
        await pilot.press("home")
        assert app.table.cursor == 1
        await pilot.press("up")
        assert app.table.cursor == 1


async def test_the_first_row_of_a_group_is_seen_with_its_heading(app) -> None:
    async with app.run_test(size=(40, 6)) as pilot:
        await until(pilot, lambda: app.table.cursor == 1)
        assert app.lines()[1].startswith("group 0")
        await pilot.press("end")
        await pilot.press(*["up"] * 6)
        assert app.table.cursor == 9
        await pilot.press(*["up"] * 3)
        await until(pilot, lambda: app.lines()[1].startswith("group 5"))
        assert app.table.cursor == 6


async def test_a_heading_is_cut_at_the_edge_and_never_under_the_cursor(app) -> None:
    async with app.run_test(size=(40, 10)) as pilot:
        await until(pilot, lambda: app.table.cursor == 1)
        assert app.lines()[1].startswith("group 0 xx")
        assert app.lines()[1].endswith("…")
        assert app.lines()[2].strip() == "row 1"


async def test_with_headings_alone_nothing_happens() -> None:
    app = Host([0])
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.press("down", "up", "end")
        assert app.table.current == 0
