"""The table of keys: everything in it exists, and nothing is bound twice in one place."""

from __future__ import annotations

import pytest

from tests.tui.building import home_at, make_run
from tests.tui.driving import opened, text_of, until
from tui import keys
from tui.app import DdpmApp
from tui.screens.compare import CompareScreen
from tui.screens.evaluate import EvaluateScreen
from tui.screens.evaluating import EvaluatingScreen
from tui.screens.leaderboard import LeaderboardScreen
from tui.screens.likelihood import LikelihoodScreen
from tui.screens.live import LiveScreen
from tui.screens.measuring import MeasuringScreen
from tui.screens.new import NewScreen
from tui.screens.restore import RestoreScreen
from tui.screens.restoring import RestoringScreen
from tui.screens.run import RunScreen
from tui.screens.runs import RunsScreen
from tui.screens.sample import SampleScreen
from tui.screens.sampling import SamplingScreen
from tui.table import WindowTable
from tui.widgets.config_form import ConfigForm

SCREENS = {
    "runs": RunsScreen,
    "new": NewScreen,
    "run": RunScreen,
    "sampling": SamplingScreen,
    "evaluating": EvaluatingScreen,
    "restoring": RestoringScreen,
    "restore": RestoreScreen,
    "likelihood": LikelihoodScreen,
    "measuring": MeasuringScreen,
    "live": LiveScreen,
    "sample": SampleScreen,
    "evaluate": EvaluateScreen,
    "leaderboard": LeaderboardScreen,
    "compare": CompareScreen,
    keys.LISTS: WindowTable,
    keys.EVERYWHERE: DdpmApp,
}


@pytest.mark.parametrize("place", SCREENS)
def test_every_action_exists(place: str) -> None:
    for key in keys.TABLE[place]:
        if key.action == "back":
            continue  # of the screens, which are asked below
        action = f"action_{key.action.partition('(')[0]}"
        assert hasattr(SCREENS[place], action), f"{key.face}: {action}"


@pytest.mark.parametrize("place", SCREENS)
def test_a_place_binds_exactly_its_keys(place: str) -> None:
    bound = {key for key, _ in SCREENS[place]._merged_bindings or ()}  # type: ignore[union-attr]
    wanted = {name for key in keys.TABLE[place] for name in key.keys.split(",")} - {"escape"}
    assert wanted <= bound


@pytest.mark.parametrize("place", keys.SCREENS)
def test_every_screen_knows_the_way_back(place: str) -> None:
    assert "escape" in {key for key, _ in SCREENS[place]._merged_bindings or ()}  # type: ignore[union-attr]


def test_no_key_is_bound_twice_in_a_place() -> None:
    for place, table in keys.TABLE.items():
        names = [name for key in table for name in key.keys.split(",")]
        assert len(names) == len(set(names)), place


def test_the_forms_keys_are_those_of_the_form() -> None:
    form = {key for key, _ in ConfigForm._merged_bindings or ()}  # type: ignore[union-attr]
    assert {"up", "down", "pageup", "pagedown", "ctrl+r"} <= form


async def test_help_shows_every_key_and_closes(tmp_path) -> None:
    home = home_at(tmp_path)
    make_run(home, "one")
    async with opened(home, (120, 300), rows=1) as (app, pilot):
        await pilot.press("question_mark")
        await until(pilot, lambda: "Everywhere" in text_of(app))
        text = " ".join(text_of(app).split())
        for key in (key for table in keys.TABLE.values() for key in table):
            words = key.help.split(";")[0]
            assert words.split()[0] in text, key
        await pilot.press("escape")
        assert len(app.screen_stack) == 1
