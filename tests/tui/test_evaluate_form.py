"""Evaluate: what the form says, how long it takes, what it launches."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Button, OptionList

from runs import home as homes
from tests.runs.processes import kill_all, make
from tests.runs.test_worker import work
from tests.runs.test_worker_evaluating import trained
from tests.tui.building import home_at, make_run
from tests.tui.driving import opened, text_of, until
from tui.screens.evaluate import EvaluateScreen, roughly
from tui.screens.evaluating import EvaluatingScreen
from tui.screens.leaderboard import LeaderboardScreen
from tui.screens.run import RunScreen
from tui.widgets.config_field import ConfigField


@pytest.fixture
def home(tmp_path):
    return home_at(tmp_path / "home")


async def form_of(app, pilot) -> EvaluateScreen:
    await pilot.press("E")
    await until(pilot, lambda: isinstance(app.screen, EvaluateScreen) and app.screen._command())
    return app.screen


def set_field(screen: EvaluateScreen, key: str, value: str) -> None:
    next(row for row in screen.query(ConfigField) if row.spec.key == key).editor.value = value


def words_of(app) -> str:
    """The text of the right part, as one line."""
    left = app.screen.query_one("#making").region.x
    return " ".join(" ".join(line[left:] for line in text_of(app).splitlines()).split())


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_it_begins_with_the_latest_checkpoint_and_the_runs_settings(home, size) -> None:
    make_run(home, "alpha", settings=("evaluation.samples=5000",))
    async with opened(home, size) as (app, pilot):
        screen = await form_of(app, pilot)
        assert screen._command()[:5] == ("ddpm-tui", "evaluate", "1@200", "-n", "5000")
        await until(pilot, lambda: "Compared with digits train." in text_of(app))
        assert {len(line) for line in text_of(app).splitlines()} == {size[0]}
        await pilot.press("down")
        await until(pilot, lambda: screen._command()[2] == "1@100")
        await pilot.press("enter")
        assert app.focused is screen.query_one("#launch", Button)
        assert "Evaluate  ^l" in text_of(app)


async def test_among_the_checkpoints_the_one_under_the_cursor_is_evaluated(home) -> None:
    make_run(home, "alpha")
    async with opened(home) as (app, pilot):
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen._detail)
        await pilot.press("4")
        await until(pilot, lambda: "00000100" in text_of(app))
        await pilot.press("down")
        assert (await form_of(app, pilot))._command()[2] == "1@100"


async def test_the_command_follows_the_fields(home) -> None:
    make_run(home, "alpha")
    async with opened(home) as (app, pilot):
        screen = await form_of(app, pilot)
        for key, value in (
            ("evaluation.samples", "50000"),
            ("sampling.sampler", "ddpm"),
            ("evaluation.convention", "pytorch-fid"),
            ("evaluation.companions", "false"),
        ):
            set_field(screen, key, value)
        await until(pilot, lambda: "--no-companions" in (screen._command() or ()))
        command = screen._command()
        assert command[3:5] == ("-n", "50000")
        assert command[command.index("--convention") + 1] == "pytorch-fid"
        assert command[command.index("--sampler") + 1] == "ddpm"
        await until(pilot, lambda: "50,000 images by ddpm, 1,000 evaluations" in words_of(app))
        await pilot.press("ctrl+y")
        assert "ddpm-tui evaluate 1@200 -n 50000" in app.clipboard


async def test_a_bad_value_cannot_be_launched(home) -> None:
    make_run(home, "alpha")
    async with opened(home, (100, 30)) as (app, pilot):
        screen = await form_of(app, pilot)
        set_field(screen, "evaluation.samples", "1")
        await until(pilot, lambda: screen.query_one("#launch", Button).disabled)
        assert "at least 2" in text_of(app)
        await pilot.press("ctrl+l")
        assert len(list(home.runs.iterdir())) == 1


async def test_what_it_would_fail_by_is_told_instead_of_a_time(home) -> None:
    make_run(home, "alpha")  # its checkpoints have no weights
    async with opened(home, (120, 30)) as (app, pilot):
        screen = await form_of(app, pilot)
        await until(pilot, lambda: "! alpha" in text_of(app) and "no whole checkpoint" in text_of(app), 60)
        set_field(screen, "evaluation.weights", "/nowhere/[b]none")  # short: it is wrapped
        await until(pilot, lambda: "[b]none does not exist" in words_of(app), 60)
        await pilot.press("ctrl+l")
        await until(pilot, lambda: any(n.severity == "error" for n in app._notifications))
        assert app.screen is screen
        assert len(list(home.runs.iterdir())) == 1


async def test_a_run_without_checkpoints_says_so(home) -> None:
    make_run(home, "alpha", checkpoints=0)
    async with opened(home) as (app, pilot):
        await pilot.press("E")
        await until(pilot, lambda: "no checkpoint to evaluate" in text_of(app))
        assert app.screen.query_one("#checkpoint-list", OptionList).option_count == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (44.2, "44 s"), (89, "1 min 29 s"), (750, "12 min"), (7500, "2 h 05 m")],
)
def test_a_time_told_beforehand_is_not_exact(seconds: float, text: str) -> None:
    assert roughly(seconds) == text


@pytest.mark.slow
async def test_where_weights_are_still_to_come_the_time_is_said_to_be_unknown(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("DDPM_INCEPTION", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "none"))
    home = homes.find(str(tmp_path / "home"))
    assert work(make(home)).returncode == 0
    async with opened(home, (120, 40)) as (app, pilot):
        await form_of(app, pilot)
        await until(pilot, lambda: "How long it takes cannot be told yet:" in words_of(app), 60)
        assert app.screen.can("launch")


@pytest.mark.real_data
async def test_an_evaluation_from_the_form_to_the_leaderboard(
    tmp_path: Path, real_data: Path, monkeypatch
) -> None:
    monkeypatch.setenv("DDPM_INCEPTION", str(real_data / "inception" / "pt-inception-trunk.pth"))
    home = homes.find(str(tmp_path / "home"))
    trained(home, tmp_path / "pictures")
    try:
        async with opened(home, (120, 40)) as (app, pilot):
            screen = await form_of(app, pilot)
            set_field(screen, "evaluation.samples", "8")
            set_field(screen, "sampling.steps", "2")
            await until(pilot, lambda: screen._measured == screen._wanted and screen._answer, 120)
            assert "About" in words_of(app)
            assert " to draw, " in words_of(app)
            await pilot.press("ctrl+l")
            await until(pilot, lambda: isinstance(app.screen, EvaluatingScreen), 60)
            await until(pilot, lambda: "✓ finished" in text_of(app), 300)
            await until(pilot, lambda: "FID" in text_of(app) and "8 samples" in text_of(app))
            await pilot.press("L")
            await until(pilot, lambda: isinstance(app.screen, LeaderboardScreen))
            await until(pilot, lambda: "pictures@20" in text_of(app))
    finally:
        kill_all(home)
