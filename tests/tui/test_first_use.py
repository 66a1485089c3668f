"""A newcomer's first run, with the real engine and real processes: three keys, leave, the run goes on."""

from __future__ import annotations

import time

import pytest

from runs import stopping
from runs.directory import RunDirectory
from runs.status import probe
from tests.tui.building import home_at
from tests.tui.driving import opened, text_of, until
from tui.screens.new import NewScreen
from tui.screens.run import RunScreen
from tui.screens.sample import SampleScreen
from tui.screens.sampling import SamplingScreen


@pytest.mark.slow
async def test_three_keys_start_a_run_that_outlives_the_app_and_can_be_sampled(tmp_path) -> None:
    home = home_at(tmp_path / "home")
    async with opened(home, rows=0) as (app, pilot):
        await until(pilot, lambda: "Welcome" in text_of(app))
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, NewScreen) and not app.screen.building)
        await pilot.press("enter", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen), 60)
        await until(pilot, lambda: app.screen._run.loss is not None, 300)
        assert "● running" in text_of(app)
        assert "img/s" in text_of(app)
        await pilot.press("q")
        await until(pilot, lambda: app._exit)
    run = RunDirectory(next(home.runs.iterdir()))
    assert probe(run.path) == "running"
    seen = run.events_path.stat().st_size
    end = time.monotonic() + 120
    while run.events_path.stat().st_size == seen:
        assert time.monotonic() < end, "the run did not go on"
        time.sleep(0.2)
    assert stopping.stop(run, patience=120) == "stopped"

    async with opened(home, rows=1) as (app, pilot):
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, SampleScreen) and app.screen._command())
        await pilot.press(
            "tab", "down", *"4", "down", "down", "down", "backspace", "backspace", "4", "ctrl+l"
        )
        await until(pilot, lambda: isinstance(app.screen, SamplingScreen), 60)
        await until(pilot, lambda: "✓ finished" in text_of(app), 120)
        await until(pilot, lambda: "grid.png" in text_of(app).replace("\n", "").replace(" ", ""))
    assert (RunDirectory(home.runs / "0002-digits-1-sample-1").path / "samples" / "grid.png").exists()
