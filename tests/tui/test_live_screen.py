"""Trying a network in the app: a real process that draws on each key, and all solvers side by side."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from ddpm.config import SamplingConfig
from runs import home as homes
from runs.directory import RunDirectory
from tests.runs.processes import make, wait_end
from tests.runs.test_worker import work
from tests.tui.building import home_at, make_run
from tests.tui.driving import opened, text_of, until
from tui.screens.live import LiveScreen
from tui.screens.runs import RunsScreen
from tui.screens.sample import SampleScreen
from tui.widgets.cells import Cells
from tui.widgets.picture import Picture


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory):
    found = homes.Home(tmp_path_factory.mktemp("home"))
    found.runs.mkdir(parents=True, exist_ok=True)
    work(make(found, "base"))
    return found


async def tried(app, pilot) -> LiveScreen:
    await pilot.press("t")
    await until(pilot, lambda: isinstance(app.screen, LiveScreen) and app.screen._drawn is not None, 60)
    await until(pilot, lambda: app.screen.query_one("#live-picture", Picture).drawn is not None)
    return app.screen


async def after(pilot, screen: LiveScreen, *keys: str):
    before = screen._drawn
    await pilot.press(*keys)
    await until(pilot, lambda: screen._drawn is not before and not screen._asked, 60)
    return screen._drawn


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_each_key_draws_by_the_same_process(home, size) -> None:
    async with opened(home, size) as (app, pilot):
        screen = await tried(app, pilot)
        number, first = screen._live.pid, screen._drawn
        assert f"NFE {first.evaluations}" in text_of(app)
        assert "seed 0" in text_of(app)
        other = await after(pilot, screen, "space")
        assert "seed 1" in text_of(app)
        assert other.png != first.png
        assert (await after(pilot, screen, "backspace")).png == first.png
        fewer = await after(pilot, screen, "left")
        assert fewer.evaluations < first.evaluations
        await after(pilot, screen, "s")
        more = await after(pilot, screen, "plus")
        assert more.count > first.count
        assert screen._live.pid == number
        assert {len(line) for line in text_of(app).splitlines()} == {size[0]}
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await until(pilot, lambda: not psutil.pid_exists(number))


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_all_solvers_side_by_side(home, size) -> None:
    async with opened(home, size) as (app, pilot):
        screen = await tried(app, pilot)
        await pilot.press("c")
        table = screen.query_one(Cells)
        await until(pilot, lambda: table.keys and not screen._asked, 60)
        solvers = list(dict.fromkeys(solver for solver, _ in table.keys))
        steps = list(dict.fromkeys(steps for _, steps in table.keys))
        assert solvers == screen._solvers
        assert len(steps) == (2 if size[0] < 100 else 3)
        assert all(table.picture(key).source is not None for key in table.keys)
        captions = {key: table.picture(key).caption for key in table.keys}
        assert f"NFE {2 * steps[0] - 1} " in captions["heun", steps[0]]
        assert f"NFE {steps[0]} " in captions["unipc", steps[0]]
        await until(pilot, lambda: "ddpm" in text_of(app) and "steps · NFE" in text_of(app))
        assert {len(line) for line in text_of(app).splitlines()} == {size[0]}
        await pilot.press("down")
        await until(pilot, lambda: table.scroll_y > 0)
        await pilot.press("up")
        await until(pilot, lambda: table.scroll_y == 0)
        await pilot.press("left")
        await until(pilot, lambda: table.keys and table.keys[0][1] < steps[0] and not screen._asked, 60)
        before = screen._drawn
        await pilot.press("c")
        await until(
            pilot, lambda: screen._drawn is not before and screen.query_one("#live-picture").display, 60
        )


async def test_what_cannot_be_guided_has_no_such_key(home) -> None:
    async with opened(home, (120, 40)) as (app, pilot):
        screen = await tried(app, pilot)
        assert not screen.can("guidance")
        assert "guidance" not in text_of(app)


async def test_it_is_arranged_anew_where_the_window_changes(home) -> None:
    async with opened(home, (160, 48)) as (app, pilot):
        screen = await tried(app, pilot)
        wide = screen._columns
        await pilot.resize_terminal(40, 48)
        await until(pilot, lambda: screen._columns != wide and screen._drawn and not screen._asked, 60)
        narrow = screen._columns
        assert narrow < wide
        await pilot.press("c")
        await until(pilot, lambda: screen.query_one(Cells).display)
        await pilot.resize_terminal(160, 48)
        await pilot.pause()
        await pilot.press("c")
        await until(pilot, lambda: not screen._comparing and screen._drawn and not screen._asked, 60)
        assert screen._columns == wide


async def test_going_back_at_once_leaves_no_cell_to_be_drawn(home) -> None:
    async with opened(home, (120, 40)) as (app, pilot):
        screen = await tried(app, pilot)
        screen.action_compare()
        screen.action_compare()
        await pilot.pause(0.5)
        assert set(screen._asked.values()) <= {None}


async def test_rows_of_classes_have_their_names(tmp_path: Path) -> None:
    """Where the window is high enough for them; a class that is chosen is named above."""
    home = home_at(tmp_path / "home")
    work(make(home, "own", "model.classes=10", "sampling.count=10"))
    async with opened(home, (40, 60)) as (app, pilot):
        screen = await tried(app, pilot)
        picture = screen.query_one("#live-picture", Picture)
        screen._attempt = replace(screen._attempt, count=64)
        await after(pilot, screen, "space")
        await until(pilot, lambda: picture.drawn is not None)
        assert (screen._columns is None) is (picture.row_labels != ())
        await after(pilot, screen, "k")
        assert picture.row_labels == ()


async def test_what_was_tried_is_kept_as_a_run_by_the_form(home) -> None:
    async with opened(home, (120, 40)) as (app, pilot):
        screen = await tried(app, pilot)
        await after(pilot, screen, "space")
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, SampleScreen) and app.screen._command())
        command = " ".join(app.screen._command())
        assert "--seed 1" in command
        assert f"-n {screen._attempt.count}" in command


#: A run that draws in no usual way.
OWN = (
    "model.classes=10",
    "training.ema_lengths=0.05",
    "sampling.average=0.05",
    "sampling.eta=0.5",
    "sampling.spacing=karras",
    "sampling.rho=5",
    "sampling.clip=false",
    "sampling.guidance=2",
    "sampling.guidance_from=0.1",
    "sampling.guidance_to=0.9",
)


async def test_the_run_that_is_kept_draws_what_was_tried(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    work(make(home, "own", *OWN))
    async with opened(home, (120, 40)) as (app, pilot):
        screen = await tried(app, pilot)
        most = screen._drawn.evaluations
        assert "guidance 2" in text_of(app)
        assert (await after(pilot, screen, "G", "G")).evaluations < most
        assert "guidance none" in text_of(app)
        await after(pilot, screen, "g")
        assert "guidance 1.5" in text_of(app)
        await after(pilot, screen, "k")
        assert "class 0" in text_of(app)
        await after(pilot, screen, "K")
        drawn = await after(pilot, screen, "space")
        wanted = screen._config.sampling.model_dump() | screen._attempt.values()
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, SampleScreen) and app.screen._command())
        assert app.screen._config.sampling == SamplingConfig.model_validate(wanted)
        assert "--eta" not in app.screen._command()  # it is the run's
        await pilot.press("ctrl+l")
        await until(pilot, lambda: len(list(home.runs.iterdir())) == 2, 60)
    made = next(RunDirectory(path) for path in home.runs.iterdir() if "sample" in path.name)
    assert wait_end(made) == "finished"
    grid = np.asarray(Image.open(io.BytesIO(drawn.png)))
    kept = sorted((made.path / "images").iterdir())
    assert len(kept) == drawn.count
    for number, path in enumerate(kept):
        image = np.asarray(Image.open(path))
        top, left = (place * (len(image) + 1) for place in divmod(number, screen._columns))
        assert np.array_equal(grid[top : top + len(image), left : left + len(image)], image)


async def test_a_network_that_cannot_be_loaded_is_told_on_the_screen(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    run = make_run(home, "alpha")  # its checkpoints hold no weights
    state = {"format": 1, "step": 200, "images_seen": 1, "files": {}}
    (run.path / "checkpoints" / "00000200" / "state.json").write_text(json.dumps(state))
    async with opened(home, (100, 30)) as (app, pilot):
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, LiveScreen) and app.screen._problem, 60)
        wanted = "the checkpoint has no ema.safetensors".replace(" ", "")
        await until(pilot, lambda: wanted in "".join(text_of(app).split()))


async def test_a_process_that_dies_is_told_on_the_screen(home) -> None:
    async with opened(home, (100, 30)) as (app, pilot):
        screen = await tried(app, pilot)
        psutil.Process(screen._live.pid).kill()
        await until(pilot, lambda: "could not be kept ready" in text_of(app), 30)
        await pilot.press("space")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
