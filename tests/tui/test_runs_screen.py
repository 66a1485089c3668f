"""The table of runs."""

from __future__ import annotations

import json

import pytest
from textual.widgets import Input, SelectionList

from runs.directory import RunDirectory, take_lock
from tests.tui.building import add_grid, copies, home_at, make_run, record
from tests.tui.driving import names, opened, runs_screen, table_of, text_of, until
from tui.screens.dialogs import Confirm, EditRun
from tui.screens.preview import Preview
from tui.screens.run import RunScreen
from tui.screens.welcome import Welcome

HOSTILE = "[red]evil[/red] \x1b[31mname\x07"


@pytest.fixture
def home(tmp_path):
    home = home_at(tmp_path / "home")
    make_run(home, "alpha", preset="mnist", tags=("baseline",))
    make_run(home, "beta", done=100, end="stopped")
    make_run(home, HOSTILE, done=50, end="failed", message="no [bold]space[/bold] \x1b]0;left\x07")
    return home


async def test_rows_are_there_newest_first_and_nothing_of_theirs_acts(home) -> None:
    async with opened(home, (160, 40), 3) as (app, pilot):
        assert names(app) == [HOSTILE, "beta", "alpha"]
        await until(pilot, lambda: "no [bold]space" in text_of(app))
        text = text_of(app)
        assert "[red]evil[/red] ␛[31mname␇" in text
        assert "\x1b" not in text
        for word in ("✕ failed", "■ stopped", "✓ finished", "0.0707", "50 of 200"):
            assert word in text


async def test_the_narrow_screen_has_no_side_pane_and_no_line_too_long(home) -> None:
    async with opened(home, (80, 24), 3) as (app, _):
        assert not app.screen.query_one(Preview).display
        assert {len(line) for line in text_of(app).splitlines()} == {80}


async def test_the_side_pane_comes_and_goes_with_the_width(home) -> None:
    async with opened(home, (160, 48), 3) as (app, pilot):
        preview = app.screen.query_one(Preview)
        await until(pilot, lambda: preview.query_one("#preview-picture").drawn is not None)
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: not preview.display)
        assert table_of(app).size.width == 80
        assert "step" in text_of(app).splitlines()[1]
        await pilot.press("down", "down")
        await pilot.resize_terminal(160, 48)
        await until(pilot, lambda: preview.display and preview.run is not None)
        await until(pilot, lambda: preview.run.name == "alpha")


async def test_filter_as_one_types_and_esc_brings_all_back(home) -> None:
    async with opened(home, rows=3) as (app, pilot):
        await pilot.press("slash", *"mnist")
        await until(pilot, lambda: names(app) == ["alpha"])
        await pilot.press("enter")
        assert app.focused is table_of(app)
        await pilot.press("escape")
        await until(pilot, lambda: len(names(app)) == 3)
        await pilot.press("slash", *"nothing like it")
        await until(pilot, lambda: names(app) == [])
        assert not runs_screen(app).query_one(Welcome).display
        await pilot.press("escape")
        await until(pilot, lambda: len(names(app)) == 3)


async def test_q_is_a_letter_while_text_is_edited_and_leaves_otherwise(home) -> None:
    async with opened(home, rows=3) as (app, pilot):
        await pilot.press("slash", "q")
        assert app.screen.query_one("#filter", Input).value == "q"
        await pilot.press("escape", "q")
        await until(pilot, lambda: app._exit)


async def test_sorting_by_key_and_by_title_is_remembered(home) -> None:
    async with opened(home, (160, 40), 3) as (app, pilot):
        await pilot.press("s")
        await until(pilot, lambda: names(app) == [HOSTILE, "alpha", "beta"])
        await pilot.press("S")
        await until(pilot, lambda: names(app) == ["beta", "alpha", HOSTILE])
        column = text_of(app).splitlines()[1].index("loss")
        await pilot.click("#runs", offset=(column, 0))
        await until(pilot, lambda: names(app) == ["alpha", "beta", HOSTILE])
        await until(pilot, lambda: json.loads((home.path / "ui.json").read_text())["sort"] == "loss")
    async with opened(home, rows=3) as (app, _):
        assert names(app) == ["alpha", "beta", HOSTILE]


async def test_columns_are_hidden_and_shown_and_remembered(home) -> None:
    async with opened(home, (160, 40), 3) as (app, pilot):
        assert "FID" in text_of(app)
        await pilot.press("v")
        await until(pilot, lambda: app.screen.query(SelectionList))
        await until(pilot, lambda: "● FID" in text_of(app))
        app.screen.query_one(SelectionList).deselect("fid").select("tags")
        await until(pilot, lambda: "○ FID" in text_of(app) and "● tags" in text_of(app))
        await pilot.press("escape")
        await until(pilot, lambda: "baseline" in text_of(app))
        assert "FID" not in text_of(app)
        await until(pilot, lambda: "fid" in json.loads((home.path / "ui.json").read_text())["hidden"])


async def test_a_run_made_elsewhere_appears_and_the_cursor_stays(home) -> None:
    async with opened(home, rows=3) as (app, pilot):
        await pilot.press("down")
        make_run(home, "newer")
        await until(pilot, lambda: "newer" in names(app))
        assert table_of(app).current.name == "beta"


async def test_two_apps_at_once_see_the_same(home) -> None:
    async with opened(home, rows=3) as (one, first), opened(home, rows=3) as (two, second):
        make_run(home, "newer")
        await until(first, lambda: "newer" in names(one))
        await until(second, lambda: "newer" in names(two))


async def test_a_home_without_runs_welcomes_and_says_which_keys(tmp_path) -> None:
    async with opened(home_at(tmp_path / "empty"), rows=0) as (app, pilot):
        await until(pilot, lambda: "Welcome" in text_of(app))
        await pilot.press("question_mark", "escape", "down", "enter", "x", "d", "c")
        make_run(app.home, "first")
        await until(pilot, lambda: names(app) == ["first"])
        assert app.focused is table_of(app)


async def test_delete_asks_with_bytes_and_moves_to_the_trash(home) -> None:
    async with opened(home, rows=3) as (app, pilot):
        await pilot.press("down", "d")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert "beta" in text_of(app)
        assert "kB" in text_of(app)
        await pilot.press("escape")
        assert len(list(home.runs.iterdir())) == 3
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: names(app) == [HOSTILE, "alpha"])
        assert [path.name for path in home.trash.iterdir()]


async def test_edit_changes_what_was_changed_only(home) -> None:
    async with opened(home, rows=3) as (app, pilot):
        await pilot.press("e")  # the hostile one: its name is shown with stand-ins, which must not be written
        await until(pilot, lambda: isinstance(app.screen, EditRun))
        app.screen.query_one("#notes", Input).value = "see [1]"
        await pilot.press("enter")
        run = RunDirectory(next(home.runs.glob("0003-*")))
        await until(pilot, lambda: run.info["notes"] == "see [1]")
        assert run.name == HOSTILE


async def test_a_name_that_is_taken_is_refused_in_one_line(home) -> None:
    async with opened(home, rows=3) as (app, pilot):
        await pilot.press("down", "e")
        await until(pilot, lambda: isinstance(app.screen, EditRun))
        app.screen.query_one("#name", Input).value = "alpha"
        await pilot.press("enter")
        await until(pilot, lambda: "alpha-1" in text_of(app))


async def test_marks_survive_filters_and_lead_to_the_comparison(home) -> None:
    async with opened(home, rows=3) as (app, pilot):
        await pilot.press("space", "space")
        assert runs_screen(app).table.marked == {2, 3}
        await until(pilot, lambda: "c compare" in text_of(app))
        await pilot.press("u")
        assert not runs_screen(app).table.marked


async def test_copy_puts_the_path_on_the_clipboard(home) -> None:
    async with opened(home, rows=3) as (app, pilot):
        await pilot.press("y")
        assert app.clipboard == table_of(app).current.path


async def test_stop_asks_a_live_run_once_and_then_offers_more(home) -> None:
    run = make_run(home, "alive", done=50, end=None)
    lock = take_lock(run.path)
    import os

    try:
        async with opened(home, rows=4) as (app, pilot):
            assert table_of(app).current.status == "running"
            await pilot.press("d")
            await pilot.press("x")
            await until(pilot, lambda: (run.path / "stop").exists())
            await pilot.press("x")
            await until(pilot, lambda: isinstance(app.screen, Confirm))
            await pilot.press("escape")
            assert len(app.screen_stack) == 1
    finally:
        os.close(lock)


async def test_the_side_pane_follows_the_cursor_when_it_rests(home) -> None:
    async with opened(home, (160, 48), 3) as (app, pilot):
        preview = app.screen.query_one(Preview)
        await pilot.press("down", "down")
        await until(pilot, lambda: preview.run is not None and preview.run.name == "alpha")
        await until(pilot, lambda: preview.query_one("#preview-picture").drawn is not None)
        assert preview.query_one("#preview-chart").series[0].points


async def test_new_samples_of_the_run_shown_appear(home) -> None:
    run = make_run(home, "live", done=50, end=None, samples=0)
    async with opened(home, (160, 48), 4) as (app, pilot):
        picture = app.screen.query_one("#preview-picture")
        await until(pilot, lambda: not picture.display)
        add_grid(run, 50, 6400)
        await until(pilot, lambda: picture.display and picture.drawn is not None)


async def test_opening_a_run_and_coming_back(home) -> None:
    async with opened(home, rows=3) as (app, pilot):
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is runs_screen(app))
        assert app.focused is table_of(app)
        assert table_of(app).current.name == "beta"


async def test_the_palette_goes_to_a_run_by_its_literal_name(home) -> None:
    async with opened(home, (120, 30), rows=3) as (app, pilot):
        await pilot.press("ctrl+p", *"evil")
        await until(pilot, lambda: "[red]evil[/red]" in text_of(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        assert "␛[31mname" in text_of(app)


async def test_the_theme_changes_and_is_remembered(home) -> None:
    async with opened(home, rows=3) as (app, pilot):
        await pilot.press("T")
        assert app.theme == "light"
        await until(pilot, lambda: (home.path / "ui.json").exists())
    async with opened(home, rows=3) as (app, _):
        assert app.theme == "light"


async def test_more_runs_than_a_page(tmp_path) -> None:
    home = home_at(tmp_path / "many")
    copies(home, make_run(home, "run", done=10, samples=0, checkpoints=0), 229)
    async with opened(home, rows=230) as (app, pilot):
        assert len(table_of(app).rows) == 200
        await pilot.press("end")
        await until(pilot, lambda: table_of(app).current is not None and table_of(app).current.id == 1)
        await pilot.press("home")
        await until(pilot, lambda: table_of(app).current is not None and table_of(app).current.id == 230)


async def test_a_home_that_vanishes_is_told_once_and_not_fatal(home) -> None:
    from ddpm import events

    async with opened(home, rows=3) as (app, pilot):
        run = RunDirectory(next(home.runs.glob("0001-*")))
        (run.path / "run.json").write_text("{")
        record(run, events.Notice("x"))
        await pilot.pause(1.5)
        assert app.is_running
