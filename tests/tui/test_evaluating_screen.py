"""The screen of an evaluating run: stages while it works, then scores, each with its floor."""

from __future__ import annotations

import os

import pytest

from ddpm import events
from runs.directory import take_lock
from tests.tui.building import FLOOR, add_grid, evaluated, finish, home_at, make_evaluation, make_run, record
from tests.tui.driving import opened, text_of, until
from tui.screens.evaluate import EvaluateScreen
from tui.screens.evaluating import EvaluatingScreen
from tui.screens.run import RunScreen
from tui.widgets.picture import Picture


@pytest.fixture
def home(tmp_path):
    return home_at(tmp_path / "home")


async def entered(app, pilot) -> EvaluatingScreen:
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(app.screen, EvaluatingScreen) and app.screen._detail is not None)
    return app.screen


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_every_tab_and_every_score_with_its_floor(home, size) -> None:
    parent = make_run(home, "alpha")
    run = make_evaluation(
        home, parent, evaluated(200, 14.3, classifier_fd=1.25, floor={**FLOOR, "classifier_fd": 0.03})
    )
    run.log_path.write_text("line of the log\n")
    async with opened(home, size) as (app, pilot):
        await entered(app, pilot)
        for key, wanted in (
            (
                "1",
                [
                    "14.30",
                    "3.15",
                    "0.01430 ± 0.00040",
                    "0.700",
                    "0.811",
                    "1.25",
                    "0.0300",
                    "alpha@200, seed 0",
                ],
            ),
            ("2", ["step 200", "1/1"]),
            ("3", ["line of the log"]),
            ("4", ["eta_unseen"]),
            ("5", ["ddpm-tui evaluate alpha"]),
        ):
            await pilot.press(key)
            await pilot.press("end")
            await until(pilot, lambda wanted=wanted: all(word in text_of(app) for word in wanted))
            assert {len(line) for line in text_of(app).splitlines()} == {size[0]}
        assert "FID 14.30 (10,000 tf), floor 3.15 (10,000)" in text_of(app)


async def test_what_was_not_computed_is_a_dash(home) -> None:
    nothing = dict.fromkeys(("kid", "kid_error", "precision", "recall", "density", "coverage", "floor"))
    make_evaluation(home, make_run(home, "alpha"), evaluated(200, 14.3, **nothing))
    async with opened(home, (100, 40)) as (app, pilot):
        await entered(app, pilot)
        await until(pilot, lambda: "No floor is known" in text_of(app))
        for name in ("FID ↓", "KID ↓", "precision ↑", "coverage ↑"):
            line = next(line for line in text_of(app).splitlines() if name in line)
            assert line.split()[3 if name == "FID ↓" else 2 :][0] == "–"
        assert "classifier FD" not in text_of(app)
        assert "0.000" not in text_of(app)


async def test_its_stages_are_watched_and_then_the_scores_come(home) -> None:
    run = make_evaluation(home, make_run(home, "alpha"), ended=False)
    lock = take_lock(run.path)
    async with opened(home, (120, 40)) as (app, pilot):
        await entered(app, pilot)
        await until(pilot, lambda: "● reference" in " ".join(text_of(app).split()))
        assert "samples images drawn, and their features" in " ".join(text_of(app).split())
        record(run, events.Evaluating(200, 25_600, "reference", 100, 100, 3.0))
        record(run, events.Evaluating(200, 25_600, "samples", 0, 10_000, 0.1))
        record(run, events.Evaluating(200, 25_600, "samples", 2_500, 10_000, 100.1))
        await until(pilot, lambda: "2,500 of 10,000 · 5 min 00 s left" in text_of(app))
        words = " ".join(text_of(app).split())
        assert "✓ reference" in words
        assert "● samples" in words
        assert "○ scores" in words
        add_grid(run, 200, 25_600)
        record(run, evaluated(200, 14.3))
        finish(run, "finished", 200, 25_600)
        os.close(lock)
        await until(pilot, lambda: "✓ finished" in text_of(app))
        await until(pilot, lambda: "14.30" in text_of(app))
        await until(pilot, lambda: app.screen.query_one("#latest-picture", Picture).drawn is not None)


async def test_one_that_ended_early_can_go_on(home) -> None:
    run = make_evaluation(home, make_run(home, "alpha"), ended=False)
    finish(run, "failed", 200, 25_600, "killed [at] 70 %")
    async with opened(home, (120, 40)) as (app, pilot):
        screen = await entered(app, pilot)
        await until(pilot, lambda: "ended before there were scores; r goes on" in text_of(app))
        assert "killed [at] 70 %" in text_of(app)
        assert "r resume" in text_of(app)
        assert screen.can("resume")
        assert not screen.can("stop")


async def test_the_ways_to_its_run_and_to_another_evaluation(home) -> None:
    make_evaluation(home, make_run(home, "alpha"), evaluated(100, 14.3), step=100)
    async with opened(home) as (app, pilot):
        screen = await entered(app, pilot)
        assert not screen.can("resume")
        await pilot.press("E")
        await until(pilot, lambda: isinstance(app.screen, EvaluateScreen) and app.screen._command())
        assert app.screen._command()[:3] == ("ddpm-tui", "evaluate", "1@100")
        await pilot.press("escape", "o")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen._run.name == "alpha")


async def test_in_the_table_it_has_its_fid_and_images(home) -> None:
    make_evaluation(home, make_run(home, "alpha"), evaluated(200, 14.3))
    async with opened(home, rows=2) as (app, pilot):
        await until(pilot, lambda: text_of(app).count("14.30") == 2)  # of the training too
        line = next(line for line in text_of(app).splitlines() if "↳" in line)
        assert "10k" in line
        assert "FID" in text_of(app).splitlines()[1]
