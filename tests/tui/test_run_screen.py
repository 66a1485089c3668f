"""The screens of one run, training and sampling."""

from __future__ import annotations

import os

import pytest

from ddpm import events
from runs.directory import take_lock
from tests.tui.building import add_checkpoint, finish, home_at, make_run, make_sampling, record
from tests.tui.driving import opened, text_of, until
from tui.panes.charts import ChartsPane
from tui.screens.new import NewScreen
from tui.screens.run import RunScreen
from tui.screens.sample import SampleScreen
from tui.screens.sampling import SamplingScreen
from tui.widgets.chart import LineChart
from tui.widgets.filmstrip import Filmstrip
from tui.widgets.picture import Picture


@pytest.fixture
def home(tmp_path):
    return home_at(tmp_path / "home")


async def entered(app, pilot, kind=RunScreen) -> None:
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(app.screen, kind) and app.screen._detail is not None)


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_every_tab_shows_what_the_run_wrote(home, size) -> None:
    run = make_run(home, "alpha", settings=("diffusion.schedule=cosine",), tags=("baseline",))
    run.log_path.write_text("".join(f"line {i} [bold]\x1b[31m\n" for i in range(300)))
    async with opened(home, size) as (app, pilot):
        await entered(app, pilot)
        await until(pilot, lambda: app.screen.query_one("#loss", LineChart).series)
        for key, wanted in (
            ("1", ["loss", "learning rate", "gradient norm", "images/s"]),
            ("2", ["step 200 · ddim 50 · seed 0", "2/2"]),
            ("3", ["No evaluation yet"]),
            ("4", ["25.6k", "4.9 MB", "00000100"]),
            ("5", ["line 299 [bold]␛[31m"]),
            ("6", ["differs from the preset digits"]),
            ("7", ["number", str(run.path)[:20]]),
        ):
            await pilot.press(key)
            await until(pilot, lambda wanted=wanted: all(word in text_of(app) for word in wanted))
            assert {len(line) for line in text_of(app).splitlines()} == {size[0]}
        assert "\x1b" not in text_of(app)
        for word in ("✓ finished", "200 steps", "1.23M parameters"):
            assert word in text_of(app)
        await pilot.press("escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)


async def test_what_differs_from_the_preset_is_marked(home) -> None:
    make_run(home, "alpha", settings=("diffusion.schedule=cosine",))
    async with opened(home, (120, 60)) as (app, pilot):
        await entered(app, pilot)
        await pilot.press("6")
        await until(pilot, lambda: "preset: linear" in text_of(app))
        marked = [line for line in text_of(app).splitlines() if "◆" in line and "preset:" in line]
        assert {"schedule", "steps"} <= {line.split()[1] for line in marked}
        assert "channels" not in {line.split()[1] for line in marked}


async def test_a_run_that_fails_while_watched_says_why(home) -> None:
    run = make_run(home, "doomed", done=50, end=None, samples=0)
    lock = take_lock(run.path)
    async with opened(home) as (app, pilot):
        await entered(app, pilot)
        assert "● running" in text_of(app)
        record(run, events.Metrics(60, 7680, 0.0123, 2e-4, 0.5, 812.0))
        await until(pilot, lambda: "0.0123" in text_of(app))
        finish(run, "failed", 60, 7680, "the loss is not finite [at] step 60")
        os.close(lock)
        await until(pilot, lambda: "✕ failed" in text_of(app))
        assert "the loss is not finite [at] step 60" in text_of(app)


async def test_new_checkpoints_and_samples_appear_in_their_tabs(home) -> None:
    run = make_run(home, "alpha", done=50, end=None, samples=0, checkpoints=0)
    async with opened(home) as (app, pilot):
        await entered(app, pilot)
        await pilot.press("4")
        await until(pilot, lambda: "No checkpoint yet" in text_of(app))
        add_checkpoint(run, 50, 128)
        await until(pilot, lambda: "No checkpoint yet" not in text_of(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, SampleScreen))


async def test_log_scale_and_smoothing_are_remembered(home) -> None:
    make_run(home, "alpha")
    async with opened(home) as (app, pilot):
        await entered(app, pilot)
        chart = app.screen.query_one("#loss", LineChart)
        await pilot.press("l", "s")
        assert chart.y_log
        assert chart.smoothing == 0.97
        await until(pilot, lambda: (home.path / "ui.json").exists())
    async with opened(home) as (app, pilot):
        await entered(app, pilot)
        assert app.screen.query_one("#loss", LineChart).y_log


async def test_charts_zoom_and_point_together_and_esc_hides_the_crosshair_first(home) -> None:
    make_run(home, "alpha")
    async with opened(home) as (app, pilot):
        await entered(app, pilot)
        pane = app.screen.query_one(ChartsPane)
        await until(pilot, lambda: all(chart.series for chart in pane.query(LineChart)))
        await pilot.press("left", "plus")
        await until(pilot, lambda: len({chart.range for chart in pane.query(LineChart)}) == 1)
        charts = list(pane.query(LineChart))
        assert charts[0].range is not None
        assert {chart.cursor_x for chart in charts} == {charts[0].cursor_x}
        await pilot.press("escape")
        assert [chart.cursor_x for chart in charts] == [None] * 4
        assert isinstance(app.screen, RunScreen)
        await pilot.press("escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)


async def test_a_screen_that_is_covered_costs_nothing(home) -> None:
    run = make_run(home, "alpha", done=50, end=None)
    async with opened(home) as (app, pilot):
        await entered(app, pilot)
        below = app.screen_stack[0]
        assert not below.is_current
        await pilot.press("question_mark")
        assert app.screen_stack[1].is_current
        assert not below.is_current
        await pilot.press("escape", "escape")
        await until(pilot, lambda: below.is_current)
        record(run, events.Metrics(60, 7680, 0.0123, 2e-4, 0.5, 812.0))
        await until(pilot, lambda: "0.0123" in text_of(app))


async def test_where_no_samples_are_the_way_to_some_is_told(home) -> None:
    make_run(home, "alpha", samples=0)
    async with opened(home) as (app, pilot):
        await entered(app, pilot)
        await pilot.press("2")
        await until(pilot, lambda: "p draws some from a checkpoint" in text_of(app))
        assert "z zoom" not in text_of(app)


async def test_what_is_told_leaves_the_axis_below_in_sight(home) -> None:
    make_run(home, "alpha")
    async with opened(home) as (app, pilot):
        await entered(app, pilot)
        app.screen.say("told")
        await until(pilot, lambda: "told" in text_of(app))
        assert any("told" in line for line in text_of(app).splitlines()[:5])


async def test_scrubbing_samples(home) -> None:
    make_run(home, "alpha", samples=4)
    async with opened(home) as (app, pilot):
        await entered(app, pilot)
        await pilot.press("2")
        await until(pilot, lambda: app.screen.query(Filmstrip) and app.screen.query_one(Filmstrip).frames)
        await pilot.press("left", "left")
        assert app.screen.query_one(Filmstrip).index == 1
        assert "00000100.png" in text_of(app)


async def test_clone_and_begin_with_weights(home) -> None:
    make_run(home, "alpha", settings=("model.channels=16",))
    async with opened(home) as (app, pilot):
        await entered(app, pilot)
        await pilot.press("C")
        await until(pilot, lambda: isinstance(app.screen, NewScreen) and not app.screen.building)
        assert "model.channels=16" in app.screen._command()
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        await pilot.press("W")
        await until(pilot, lambda: isinstance(app.screen, NewScreen) and not app.screen.building)
        assert "1@200" in app.screen._command()


async def test_a_run_moved_to_the_trash_elsewhere_closes_its_screen(home) -> None:
    from runs import trash

    run = make_run(home, "alpha")
    make_run(home, "beta")
    async with opened(home, rows=2) as (app, pilot):
        await pilot.press("down")
        await entered(app, pilot)
        trash.move(home, run)
        await until(pilot, lambda: len(app.screen_stack) == 1)


async def test_a_sampling_run_shows_its_grid_then_its_steps(home) -> None:
    parent = make_run(home, "alpha")
    make_sampling(home, parent, frames=4)
    async with opened(home, (120, 40)) as (app, pilot):
        await entered(app, pilot, SamplingScreen)
        await until(pilot, lambda: app.screen.query("#grid-picture"))
        await until(pilot, lambda: app.screen.query_one("#grid-picture", Picture).drawn is not None)
        await pilot.press("left")
        await until(pilot, lambda: app.screen.query_one("#x-0", Picture).drawn is not None)
        assert "step 4 of 4" in text_of(app)
        await pilot.press("left", "left", "left", "left")
        assert "step 1 of 4" in text_of(app)
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen._run.name == "alpha")


async def test_sampling_is_watched_as_it_goes(home) -> None:
    parent = make_run(home, "alpha")
    run = make_sampling(home, parent, frames=2, ended=False)
    async with opened(home, (120, 40)) as (app, pilot):
        await entered(app, pilot, SamplingScreen)
        await until(pilot, lambda: "step 2 of 4" in text_of(app))
        (run.path / "frames" / "0003-xt.png").write_bytes((run.path / "frames" / "0002-xt.png").read_bytes())
        record(run, events.Denoising(3, 4, 250, 0, 16, "frames/0003-xt.png", "frames/0003-x0.png"))
        await until(pilot, lambda: "step 3 of 4 · t = 250" in text_of(app))
