"""The leaderboard: ranked under equal protocols only, and what differs is told."""

from __future__ import annotations

import pytest

from runs import trash
from runs.directory import RunDirectory
from tests.tui.building import FLOOR, evaluated, home_at, make_evaluation, make_run, record
from tests.tui.driving import opened, text_of, until
from tui.screens.evaluate import EvaluateScreen
from tui.screens.evaluating import EvaluatingScreen
from tui.screens.leaderboard import LeaderboardScreen
from tui.screens.run import RunScreen


@pytest.fixture
def home(tmp_path):
    """Two trainings under one protocol, one of them under another too."""
    home = home_at(tmp_path / "home")
    alpha, beta = make_run(home, "alpha"), make_run(home, "[b]eta\x1b[31m")
    record(alpha, evaluated(100, 61.0))
    record(beta, evaluated(100, 33.5, floor=None, kid=None, precision=None))
    make_evaluation(home, alpha, evaluated(200, 11.9, samples=50_000, seed=7))
    make_evaluation(home, alpha, evaluated(200, 14.3))
    return home


async def board(app, pilot) -> LeaderboardScreen:
    await pilot.press("L")
    await until(pilot, lambda: isinstance(app.screen, LeaderboardScreen))
    return app.screen


def ranked(app) -> list[tuple[str, ...]]:
    """(rank, checkpoint, FID, floor) of the rows in sight."""
    lines = [line.split() for line in text_of(app).splitlines()]
    return [tuple(words[:4]) for words in lines if words and words[0].isdigit() and "@" in words[1]]


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_equal_protocols_are_ranked_together_and_no_others(home, size) -> None:
    async with opened(home, size) as (app, pilot):
        await board(app, pilot)
        await until(pilot, lambda: len(ranked(app)) == 4)
        assert ranked(app) == [
            ("1", "alpha@200", "14.30", "3.15"),
            ("2", "[b]eta␛[31m@100", "33.50", "3.15"),  # of its group, as it has none of its own
            ("3", "alpha@100", "61.00", "3.15"),
            ("1", "alpha@200", "11.90", "3.15"),
        ]
        text = text_of(app)
        assert "Inception, tensorflow · CIFAR-10 train 50,000 · 10,000 samples · ddim 50 · EMA" in text
        assert "CIFAR-10 train 50,000 · ◆ 50,000 samples" in text
        assert "floor: test, 10,000 images" in text
        assert "floor: test, 10,000 images, not 50,000" in text
        assert text.count("◆") == 2  # there, and in the legend
        assert "2 protocols" in text
        assert {len(line) for line in text.splitlines()} == {size[0]}
        assert "\x1b" not in text


async def test_what_is_unknown_is_a_dash(home) -> None:
    async with opened(home, (160, 48)) as (app, pilot):
        await board(app, pilot)
        await until(pilot, lambda: len(ranked(app)) == 4)
        line = next(line for line in text_of(app).splitlines() if "eta␛" in line)
        assert line.split()[4:6] == ["–", "–"]  # KID and precision
        assert "0.000" not in line


async def test_enter_opens_the_training_and_o_what_found_the_scores(home) -> None:
    async with opened(home) as (app, pilot):
        screen = await board(app, pilot)
        await until(pilot, lambda: screen._chosen is not None)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen._run.name == "alpha")
        await pilot.press("escape", "o")
        await until(pilot, lambda: isinstance(app.screen, EvaluatingScreen))
        assert app.screen._run.name == "alpha-evaluate-2"


async def test_evaluating_again_takes_checkpoint_and_settings(home) -> None:
    async with opened(home) as (app, pilot):
        screen = await board(app, pilot)
        await until(pilot, lambda: screen._chosen is not None)
        await pilot.press("E")
        await until(pilot, lambda: isinstance(app.screen, EvaluateScreen) and app.screen._command())
        assert app.screen._command()[:3] == ("ddpm-tui", "evaluate", "1@200")


async def test_new_scores_take_their_place_and_the_cursor_stays(home) -> None:
    async with opened(home) as (app, pilot):
        screen = await board(app, pilot)
        await until(pilot, lambda: len(ranked(app)) == 4)
        assert screen._chosen.fid == 14.3
        run = make_run(home, "gamma")
        record(run, evaluated(100, 7.5))
        await until(pilot, lambda: ("1", "gamma@100", "7.50", "3.15") in ranked(app))
        assert screen._chosen.fid == 14.3


async def test_the_classifier_column_is_there_where_a_classifier_looked(home) -> None:
    async with opened(home, (160, 48)) as (app, pilot):
        await board(app, pilot)
        await until(pilot, lambda: len(ranked(app)) == 4)
        assert "clf. FD" not in text_of(app).splitlines()[2]
        run = make_run(home, "gamma")
        record(run, evaluated(100, 7.5, classifier_fd=0.731, floor={**FLOOR, "classifier_fd": 0.03}))
        await until(pilot, lambda: "0.73" in text_of(app))
        assert "clf. FD" in text_of(app).splitlines()[2]


async def test_of_a_run_that_is_gone_the_scores_stay(home) -> None:
    trash.move(home, RunDirectory(next(path for path in home.runs.iterdir() if path.name.endswith("-alpha"))))
    async with opened(home) as (app, pilot):
        screen = await board(app, pilot)
        await until(pilot, lambda: "(gone)@200" in text_of(app))
        await until(pilot, lambda: screen._chosen is not None)
        assert not screen.can("evaluate")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, EvaluatingScreen))
        await until(pilot, lambda: "step 200 of a run that is gone" in text_of(app))


async def test_without_evaluations_the_way_to_one_is_told(tmp_path) -> None:
    home = home_at(tmp_path / "home")
    make_run(home, "alpha")
    async with opened(home) as (app, pilot):
        await board(app, pilot)
        await until(pilot, lambda: "No evaluation yet; E on a run" in text_of(app))
        record(make_run(home, "beta"), evaluated(100, 61.0))
        await until(pilot, lambda: "beta@100" in text_of(app))
        assert "Lower FID is better" in text_of(app)
