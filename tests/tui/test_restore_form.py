"""Restore: what the form asks for, what it refuses, what it launches, and the screen of the run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from ddpm import events
from runs import home as homes
from runs.directory import RunDirectory
from tests.runs.processes import kill_all, make
from tests.runs.test_worker import work
from tests.tui.building import finish, home_at, make_run, record
from tests.tui.driving import opened, text_of, until
from tui.screens.restore import RestoreScreen
from tui.screens.restoring import RestoringScreen
from tui.widgets.config_field import ConfigField
from tui.widgets.picture import Picture


@pytest.fixture
def home(tmp_path):
    return home_at(tmp_path / "home")


async def form_of(app, pilot) -> RestoreScreen:
    await pilot.press("R")
    await until(pilot, lambda: isinstance(app.screen, RestoreScreen) and app.screen._command())
    return app.screen


def field(screen: RestoreScreen, key: str) -> ConfigField:
    return next(row for row in screen.query(ConfigField) if row.spec.key == key)


def shown(screen: RestoreScreen) -> set[str]:
    return {row.spec.key.partition(".")[2] for row in screen.query(ConfigField) if row.display}


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_one_key_press_restores_images_of_the_runs_own_data(home, size) -> None:
    make_run(home, "alpha")
    async with opened(home, size) as (app, pilot):
        screen = await form_of(app, pilot)
        command = ("ddpm-tui", "restore", "1@200", "digits:train", "--degrade", "--count", "8")
        assert screen._command()[: len(command)] == command
        assert "At most 8 images, degraded first" in " ".join(text_of(app).split())
        assert {len(line) for line in text_of(app).splitlines()} == {size[0]}


async def test_only_what_the_task_needs_is_asked_for(home) -> None:
    make_run(home, "alpha")
    async with opened(home, (160, 48)) as (app, pilot):
        screen = await form_of(app, pilot)
        own = {"mask", "hidden", "scale", "filter", "kernel", "width", "ratio"}
        assert not shown(screen) & own
        for task, keys in (
            ("inpaint", {"mask", "hidden"}),
            ("super-resolution", {"scale", "filter"}),
            ("deblur", {"kernel", "width"}),
            ("compressed-sensing", {"ratio"}),
        ):
            field(screen, "restoration.task").editor.value = task
            await until(pilot, lambda keys=keys: shown(screen) & own == keys)
            assert screen._command()[-2:] != ("--task", "denoise")
        field(screen, "restoration.task").editor.value = "deblur"
        field(screen, "restoration.kernel").editor.value = "uniform"
        await until(pilot, lambda: "uniform" in screen._command())
        field(screen, "restoration.task").editor.value = "denoise"
        await until(pilot, lambda: "uniform" not in screen._command())


async def test_what_is_wrong_is_told_at_its_field(home, tmp_path) -> None:
    make_run(home, "alpha")
    async with opened(home, (160, 48)) as (app, pilot):
        screen = await form_of(app, pilot)
        for key, value, words in (
            ("restoration.sigma", "2", "is not a number, at least 0, at most 1"),
            ("restoration.task", "colorize", "colorize needs a model of colour images"),
            ("input.images", "/nowhere", "there is no such file or folder"),
            ("input.images", "", "name an image, a folder, or a data set"),
        ):
            editor = field(screen, key).editor
            before = editor.value
            editor.value = value
            await until(pilot, lambda words=words: words in text_of(app))
            assert screen._command() is None
            editor.value = before
            await until(pilot, lambda: screen._command())


async def test_a_folder_as_it_is(home, tmp_path) -> None:
    make_run(home, "alpha")
    folder = tmp_path / "[in]"
    folder.mkdir()
    async with opened(home, (160, 48)) as (app, pilot):
        screen = await form_of(app, pilot)
        field(screen, "input.images").editor.value = str(folder)
        field(screen, "restoration.degrade").editor.value = "false"
        field(screen, "input.out").editor.value = str(tmp_path / "out")
        await until(pilot, lambda: screen._command()[-4:-2] == ("--out", str(tmp_path / "out")))
        assert screen._command()[3] == str(folder)
        assert "--degrade" not in screen._command()


async def test_again_begins_with_the_same_images(home, tmp_path) -> None:
    parent = make_run(home, "alpha")
    run = restoring_run(home, parent, "degraded")
    info = json.loads((run.path / "run.json").read_text())
    (tmp_path / "in").mkdir()
    parent_info = {"uuid": parent.info["uuid"], "id": 1, "name": "alpha", "step": 200}
    (run.path / "run.json").write_text(
        json.dumps({**info, "inputs": [str(tmp_path / "in")], "parent": parent_info})
    )
    async with opened(home, (160, 48), rows=2) as (app, pilot):
        screen = await form_of(app, pilot)
        assert screen._command()[2:4] == ("1@200", str(tmp_path / "in"))
        assert "--degrade" not in screen._command()


async def test_a_real_restoration_from_the_form_to_its_pictures(tmp_path: Path) -> None:
    home = homes.Home(tmp_path / "home")
    home.runs.mkdir(parents=True)
    work(make(home, "base"))
    async with opened(home, (120, 40)) as (app, pilot):
        screen = await form_of(app, pilot)
        field(screen, "restoration.samples").editor.value = "2"
        field(screen, "restoration.steps").editor.value = "4"
        await until(pilot, lambda: "4" in screen._command())
        try:
            await pilot.press("ctrl+l")
            await until(pilot, lambda: isinstance(app.screen, RestoringScreen), 60)
            await until(pilot, lambda: app.screen._run.status == "finished", 120)
            await until(pilot, lambda: "PSNR" in text_of(app))
        finally:
            kill_all(home)
        assert "8 images" in text_of(app)
        for title in ("degraded", "restored", "truth", "spread"):
            assert title in text_of(app)
        await pilot.press("left")
        await until(pilot, lambda: "step 4 of 4" in text_of(app))
        await pilot.press("R")
        await until(pilot, lambda: isinstance(app.screen, RestoreScreen) and app.screen._command())
        assert app.screen._command()[2:4] == ("1@20", "digits:train")
        assert "--samples 2" in " ".join(app.screen._command())


def restoring_run(home, parent: RunDirectory, *names: str, end: str | None = "finished") -> RunDirectory:
    """With pictures of those names."""
    run = RunDirectory.create(
        home, kind="restore", config=parent.config(), name="mended", parent={"uuid": parent.info["uuid"]}
    )
    (run.path / "frames").mkdir()
    for name in names:
        Image.linear_gradient("L").resize((35, 35)).save(run.path / "frames" / f"{name}.png")
    paths = {
        name: f"frames/{name}.png" if name in names else None
        for name in ("degraded", "restored", "truth", "spread")
    }
    record(run, events.Started(200, 25600, 200, "cpu", "two cores", "float32", 1, "digits", 3))
    record(run, events.Notice("b.png is no image"))
    record(run, events.Restored(2, 1, 3, None, None, None, None, 0.125, **paths))
    if end:
        finish(run, end, 200, 25600)
    return run


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_what_there_is_not_takes_no_room(home, size) -> None:
    parent = make_run(home, "alpha")
    restoring_run(home, parent, "degraded", "restored")
    async with opened(home, size) as (app, pilot):
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RestoringScreen) and app.screen._detail is not None)
        await until(pilot, lambda: "b.png is no image" in text_of(app))
        text = text_of(app)
        assert "3 images" in text
        assert "failed 1" in text
        assert "truth" not in text
        assert "spread" not in text
        pictures = [picture for picture in app.screen.query(Picture) if picture.region.width]
        assert len(pictures) == 2
        assert abs(pictures[0].region.width - pictures[1].region.width) <= 1
        assert {len(line) for line in text.splitlines()} == {size[0]}


async def test_only_trainings_restore(home) -> None:
    parent = make_run(home, "alpha")
    run = RunDirectory.create(
        home, kind="sample", config=parent.config(), name="drawn", parent={"uuid": parent.info["uuid"]}
    )
    finish(run, "finished", 200, 1)
    async with opened(home, rows=2) as (app, pilot):
        await pilot.press("R")
        await pilot.pause(0.2)
        assert not isinstance(app.screen, RestoreScreen)
    assert json.loads((run.path / "run.json").read_text())["kind"] == "sample"
