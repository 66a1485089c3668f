"""Runs side by side."""

from __future__ import annotations

import pytest

from tests.tui.building import evaluated, home_at, make_run, record
from tests.tui.driving import opened, text_of, until
from tui.screens.compare import CompareScreen
from tui.widgets.chart import LineChart
from tui.widgets.filmstrip import Filmstrip


@pytest.fixture
def home(tmp_path):
    home = home_at(tmp_path / "home")
    make_run(home, "alpha", settings=("diffusion.schedule=cosine",), samples=4)
    make_run(home, "[b]eta[/b]", settings=("training.learning_rate=0.001",), samples=2)
    return home


async def compared(app, pilot) -> CompareScreen:
    await pilot.press("space", "space", "c")
    await until(pilot, lambda: isinstance(app.screen, CompareScreen) and app.screen._details)
    return app.screen


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_only_what_differs_and_all_on_demand(home, size) -> None:
    async with opened(home, size, rows=2) as (app, pilot):
        await compared(app, pilot)
        await until(pilot, lambda: "diffusion.schedule" in text_of(app))
        text = text_of(app)
        assert "training.batch_size" not in text
        for word in ("[b]eta[/b]", "cosine", "linear", "what differs"):
            assert word in text
        await pilot.press("a")
        await until(pilot, lambda: "data.dataset" in text_of(app))
        assert {len(line) for line in text_of(app).splitlines()} == {size[0]}


@pytest.mark.parametrize("count", [2, 3, 4])
async def test_long_names_push_no_run_out_of_sight(tmp_path, count) -> None:
    home = home_at(tmp_path / "home")
    for i in range(1, count + 1):
        rate = f"training.learning_rate=0.000{i}"
        make_run(home, f"r{i} with a name that goes on and on and on", settings=(rate,), samples=1)
    async with opened(home, rows=count) as (app, pilot):
        await pilot.press(*["space"] * count, "c")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen) and app.screen._details)
        await until(pilot, lambda: "learning_rate" in text_of(app))
        lines = text_of(app).splitlines()
        row = next(line for line in lines if "learning_rate" in line)
        assert all(f"0.000{i}" in row for i in range(1, count + 1))
        head = next(line for line in lines if "● r" in line)
        assert all(f"● r{i}" in head for i in range(1, count + 1))


async def test_losses_are_overlaid_in_one_colour_a_run(home) -> None:
    async with opened(home, rows=2) as (app, pilot):
        screen = await compared(app, pilot)
        series = screen.query_one(LineChart).series
        assert {s.name for s in series} == {"alpha", "[b]eta[/b]"}
        assert len({s.colour for s in series}) == 2


async def test_grids_are_scrubbed_together_by_images_seen(home) -> None:
    async with opened(home, (160, 48), rows=2) as (app, pilot):
        screen = await compared(app, pilot)
        strips = list(screen.query(Filmstrip))
        await until(pilot, lambda: all(strip.frames for strip in strips))
        await pilot.press("left", "left")
        await pilot.pause()
        assert len({strip.frame.x for strip in strips}) == 1


async def test_runs_that_are_equal_have_nothing_to_show(tmp_path) -> None:
    home = home_at(tmp_path / "home")
    make_run(home, "one")
    make_run(home, "two")
    async with opened(home, rows=2) as (app, pilot):
        await compared(app, pilot)
        await until(pilot, lambda: "nothing" in text_of(app))


async def test_fids_stand_with_their_floors_and_unequal_protocols_are_told(tmp_path) -> None:
    home = home_at(tmp_path / "evaluated")
    alpha, beta = make_run(home, "alpha"), make_run(home, "beta")
    record(alpha, evaluated(200, 14.3))
    record(beta, evaluated(200, 11.9, samples=50_000))
    async with opened(home, (160, 48), rows=2) as (app, pilot):
        await pilot.press("space", "space", "c")
        await until(pilot, lambda: "FID (unequal)" in text_of(app))
        lines = {" ".join(line.split()[:7]) for line in text_of(app).splitlines()}
        assert any(line.startswith("FID (unequal) 11.90 14.30") for line in lines)
        assert any(line.startswith("FID of 50,000 tf 10,000 tf") for line in lines)
        assert any(line.startswith("its floor 3.15 3.15") for line in lines)
        assert any(line.startswith("! samples 50,000 samples 10,000 samples") for line in lines)


async def test_of_equal_protocols_the_fids_are_just_shown(tmp_path) -> None:
    home = home_at(tmp_path / "evaluated")
    for name, fid in (("alpha", 14.3), ("beta", 11.9)):
        record(make_run(home, name), evaluated(200, fid))
    make_run(home, "gamma")
    async with opened(home, (160, 48), rows=3) as (app, pilot):
        await pilot.press("space", "space", "space", "c")
        await until(pilot, lambda: "its floor" in text_of(app))
        line = next(
            line for line in text_of(app).splitlines() if line.split()[:1] == ["FID"] and "of" not in line
        )
        assert line.split()[1:4] == ["–", "11.90", "14.30"]
        assert "unequal" not in text_of(app)
