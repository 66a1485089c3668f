"""Likelihood in the app: what its form asks for and refuses, and the screen of the run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ddpm import events
from runs import home as homes
from runs.directory import RunDirectory, take_lock
from tests.runs.processes import kill_all, make
from tests.runs.test_worker import work
from tests.tui.building import finish, home_at, make_run, record
from tests.tui.driving import opened, text_of, until
from tui.screens.likelihood import LikelihoodScreen
from tui.screens.measuring import MeasuringScreen
from tui.screens.run import RunScreen
from tui.widgets.chart import LineChart
from tui.widgets.config_field import ConfigField

BITS: dict[str, Any] = {
    "step": 200, "images_seen": 25_600, "done": 10, "count": 10, "bits_per_dim": 2.5, "error": 0.03,
    "prior": 2e-5, "decoder": 0.9, "edges": (0, 1, 4, 10), "terms": (0.9, 0.4, 0.05),
}  # fmt: skip


@pytest.fixture
def home(tmp_path):
    return home_at(tmp_path / "home")


async def form_of(app, pilot) -> LikelihoodScreen:
    await pilot.press("B")
    await until(pilot, lambda: isinstance(app.screen, LikelihoodScreen) and app.screen._command())
    return app.screen


def field(screen: LikelihoodScreen, key: str) -> ConfigField:
    return next(row for row in screen.query(ConfigField) if row.spec.key == f"likelihood.{key}")


def measuring_run(home, parent: RunDirectory, *found: events.BitsPerDim, end: str | None = "finished") -> Any:
    info = parent.info
    run = RunDirectory.create(
        home,
        kind="likelihood",
        config=parent.config(),
        name="bits",
        parent={"uuid": info["uuid"], "id": info["id"], "name": info["name"], "step": 200},
    )
    record(run, events.Started(200, 25_600, 200, "cpu", "two cores", "float32", 1, "digits", 20))
    for event in found:
        record(run, event)
    if end:
        finish(run, end, 200, 25_600)
    return run


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_the_form_says_what_will_be_measured(home, size) -> None:
    make_run(home, "alpha")
    async with opened(home, size) as (app, pilot):
        screen = await form_of(app, pilot)
        assert screen._command()[:3] == ("ddpm-tui", "likelihood", "1@200")
        told = " ".join(text_of(app).split())
        assert "500 train images of" in told
        assert "100 evaluations" in told
        assert {len(line) for line in text_of(app).splitlines()} == {size[0]}
        field(screen, "train").editor.value = "30"
        await until(pilot, lambda: screen._command()[3:5] == ("--train", "30"))


async def test_a_comparison_has_the_bits_of_the_runs(home) -> None:
    make_run(home, "alpha")
    measuring_run(home, make_run(home, "beta"), events.BitsPerDim(split="test", **BITS))
    async with opened(home, (160, 48), rows=3) as (app, pilot):
        await pilot.press("down", "space", "space", "c")
        await until(pilot, lambda: "bits/dim, test" in text_of(app))
        line = next(line for line in text_of(app).splitlines() if "bits/dim, test" in line)
        assert set(line.split()[2:4]) == {"–", "2.500±0.030"}


async def test_what_is_wrong_is_told_at_its_field(home) -> None:
    make_run(home, "alpha")
    async with opened(home, (160, 48)) as (app, pilot):
        screen = await form_of(app, pilot)
        for key, value, words in (
            ("train", "0", "no image of either part is asked for"),
            ("test", "5", "this data set has no test part; it must be 0"),
            ("timesteps", "1001", "1001 is above diffusion.timesteps"),
            ("seed", "-1", "is not a whole number"),
        ):
            editor = field(screen, key).editor
            before = editor.value
            editor.value = value
            await until(pilot, lambda words=words: words in text_of(app))
            assert screen._command() is None
            editor.value = before
            await until(pilot, lambda: screen._command())


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_the_numbers_and_their_curve(home, size) -> None:
    parent = make_run(home, "alpha")
    train = events.BitsPerDim(split="train", **BITS)
    test = events.BitsPerDim(split="test", **{**BITS, "bits_per_dim": 2.75, "error": None})
    measuring_run(home, parent, train, test)
    async with opened(home, size, rows=2) as (app, pilot):
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, MeasuringScreen) and app.screen._detail is not None)
        await until(pilot, lambda: "2.500 ± 0.030" in text_of(app))
        text = text_of(app)
        assert "20 images" in text
        for word in ("2.750", "0.900", "1.600", "2e-05", "timestep", "100 of 1000 terms"):
            assert word in " ".join(text.split()), word
        lines = app.screen.query_one(LineChart).series
        assert [line.name for line in lines] == ["train", "test"]
        assert [(point.x, point.mean) for point in lines[0].points] == [(0, 0.9), (2, 0.4), (6.5, 0.05)]
        assert {len(line) for line in text.splitlines()} == {size[0]}
        assert app.screen.query_one(LineChart).y_log
        await pilot.press("l")
        await until(pilot, lambda: not app.screen.query_one(LineChart).y_log)
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))


async def test_before_the_first_number_it_says_so(home) -> None:
    run = measuring_run(home, make_run(home, "alpha"), end=None)
    lock = take_lock(run.path)
    try:
        async with opened(home, rows=2) as (app, pilot):
            await pilot.press("enter")
            await until(pilot, lambda: "Measuring the first images" in text_of(app))
    finally:
        os.close(lock)


async def test_a_real_one_from_the_form_to_its_numbers(tmp_path: Path) -> None:
    home = homes.Home(tmp_path / "home")
    home.runs.mkdir(parents=True)
    work(make(home, "base"))
    async with opened(home, (120, 40)) as (app, pilot):
        screen = await form_of(app, pilot)
        field(screen, "train").editor.value = "12"
        await until(pilot, lambda: "12" in screen._command())
        try:
            await pilot.press("ctrl+l")
            await until(pilot, lambda: isinstance(app.screen, MeasuringScreen), 60)
            await until(pilot, lambda: app.screen._run.status == "finished", 120)
            await until(pilot, lambda: "12 images" in text_of(app))
        finally:
            kill_all(home)
        assert "± " in text_of(app)
        await pilot.press("B")
        await until(pilot, lambda: isinstance(app.screen, LikelihoodScreen) and app.screen._command())
        assert app.screen._command()[2:][:3] == ("1@20", "--train", "12")
