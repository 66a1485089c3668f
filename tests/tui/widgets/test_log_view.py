"""The log pane: the end first, following, search, wrapping."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.tui.widgets.hosts import Host, lines, until
from tui.widgets.log_view import LogView


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.txt"
    path.write_text("".join(f"line {i}\n" for i in range(1000)))
    return path


def visible(view: LogView) -> list[str]:
    return [row for row in lines(view.lines) if row]


async def test_it_opens_at_the_end_and_follows(log: Path) -> None:
    view = LogView(log)
    async with Host(view).run_test(size=(40, 11)) as pilot:
        await until(pilot, lambda: visible(view)[-1:] == ["line 999"])
        assert visible(view) == [f"line {i}" for i in range(990, 1000)]
        assert view.state == "line 1,000 of 1,000 · following"
        with log.open("a") as file:
            file.write("one more\n")
        await until(pilot, lambda: visible(view)[-1:] == ["one more"])


async def test_scrolling_up_stays_while_lines_come(log: Path) -> None:
    view = LogView(log)
    async with Host(view).run_test(size=(40, 11)) as pilot:
        await until(pilot, lambda: view.lines.total == 1000)
        view.lines.focus()
        await pilot.press("up", "up")
        assert "F to follow" in view.state
        await until(pilot, lambda: visible(view)[-1:] == ["line 997"])
        with log.open("a") as file:
            file.write("one more\n")
        await until(pilot, lambda: view.lines.total == 1001)
        assert visible(view)[-1] == "line 997"
        await pilot.press("F")
        await until(pilot, lambda: visible(view)[-1:] == ["one more"])


async def test_top_and_bottom(log: Path) -> None:
    view = LogView(log)
    async with Host(view).run_test(size=(40, 11)) as pilot:
        await until(pilot, lambda: view.lines.total == 1000)
        view.lines.focus()
        await pilot.press("g")
        await until(pilot, lambda: visible(view)[:1] == ["line 0"])
        await pilot.press("G")
        await until(pilot, lambda: visible(view)[-1:] == ["line 999"])
        assert "following" in view.state


async def test_search_up_and_back(log: Path) -> None:
    view = LogView(log)
    app = Host(view)
    async with app.run_test(size=(40, 11)) as pilot:
        await until(pilot, lambda: view.lines.total == 1000)
        view.lines.focus()
        await pilot.press("slash", *"LINE 55", "enter")
        await until(pilot, lambda: "line 559" in visible(view))
        await pilot.press("n")
        await until(pilot, lambda: "line 558" in visible(view) and view.lines.found == -442)
        await pilot.press("N")
        await until(pilot, lambda: view.lines.found == -441)
        await pilot.press("slash", "ctrl+u", *"nowhere", "enter")
        await until(pilot, lambda: "no “nowhere”" in view.state)
        await pilot.press("escape")
        assert "nowhere" not in view.state
        assert app.escapes == 0
        await pilot.press("escape")
        assert app.escapes == 1


async def test_wrapped_lines_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    long = "".join(chr(ord("a") + i % 26) for i in range(95))
    path.write_text("".join(f"{i} {long}\n" for i in range(20)))
    view = LogView(path)
    async with Host(view).run_test(size=(40, 11)) as pilot:
        await until(pilot, lambda: view.lines.total == 20)
        view.lines.focus()
        await pilot.press("w")
        await until(pilot, lambda: "".join(visible(view)).endswith(f"18 {long}19 {long}"))
        await pilot.press("g")
        await until(pilot, lambda: "".join(visible(view)).startswith(f"0 {long}1 {long}"))
        for _ in range(25):
            await pilot.press("down")
        await until(pilot, lambda: "".join(visible(view)).endswith(f"19 {long}"))


async def test_text_of_the_log_is_shown_literally(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("[red]x[/red] \x1b[2J\n")
    view = LogView(path)
    async with Host(view).run_test(size=(40, 11)) as pilot:
        await until(pilot, lambda: visible(view) == ["[red]x[/red] ␛[2J"])


async def test_nothing_missing_and_coming_later(tmp_path: Path) -> None:
    view = LogView(tmp_path / "later.txt")
    async with Host(view).run_test(size=(40, 11)) as pilot:
        assert visible(view) == ["no log yet"]
        (tmp_path / "later.txt").write_text("here\n")
        await until(pilot, lambda: visible(view) == ["here"])
        view.open(None)
        await pilot.pause()
        assert visible(view) == []


async def test_a_hidden_pane_reads_nothing(log: Path) -> None:
    view = LogView(log)
    view.display = False
    async with Host(view).run_test(size=(40, 11)) as pilot:
        await pilot.pause(0.7)
        assert view.lines.total == 0
        view.display = True
        await until(pilot, lambda: view.lines.total == 1000)


async def test_a_large_log_shows_its_end_at_once(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    block = b"".join(b"step %7d loss 0.0123 images/s 512 and some more text\n" % i for i in range(1000))
    with path.open("wb") as file:
        for _ in range(400):  # 23 MB
            file.write(block)
        file.write(b"the end\n")
    view = LogView(path)
    async with Host(view).run_test(size=(40, 11)) as pilot:
        start = time.monotonic()
        await until(pilot, lambda: visible(view)[-1:] == ["the end"])
        assert time.monotonic() - start < 2
        await until(pilot, lambda: view.lines.total == 400_001)
        assert visible(view)[-1] == "the end"
