"""Keys that come all at once: each goes where those before it have led, and none launches unseen."""

from __future__ import annotations

import asyncio
import time

import pytest
from textual import events
from textual.widgets import Button, Input

from runs import launch
from runs.errors import RunError
from tests.tui.building import home_at, make_run
from tests.tui.driving import opened, until
from tui import sources
from tui.screens.new import NewScreen
from tui.screens.runs import RunsScreen
from tui.screens.sample import SampleScreen
from tui.store import Store
from tui.widgets.config_form import ConfigForm

#: Seconds of what is slow.
SLOW = 0.4


@pytest.fixture
def home(tmp_path):
    return home_at(tmp_path / "home")


@pytest.fixture(params=["nothing", "presets", "form"])
def slow(request, monkeypatch):
    """What of the form takes its time."""
    if request.param == "presets":
        monkeypatch.setattr(sources, "presets", late(sources.presets))
    elif request.param == "form":
        mount_rest = ConfigForm._mount_rest

        async def slowly(form) -> None:
            await asyncio.sleep(SLOW)
            await mount_rest(form)

        monkeypatch.setattr(ConfigForm, "_mount_rest", slowly)


def late(work):
    def slowly(*args):
        time.sleep(SLOW)
        return work(*args)

    return slowly


def burst(app, *keys: str) -> None:
    """All of them before the app comes to the first."""
    for key in keys:
        app.post_message(events.Key(*{"/": ("slash", "/")}.get(key, (key, key if len(key) == 1 else None))))


async def built(app, pilot, kind=NewScreen):
    await until(pilot, lambda: isinstance(app.screen, kind) and not app.screen.building)
    await until(pilot, lambda: app._key is None and not app._typed)
    return app.screen


async def test_a_setting_is_found_and_changed_by_keys_typed_ahead(home, slow) -> None:
    async with opened(home, rows=0) as (app, pilot):
        burst(app, "n", "enter", "/", *"zero", "enter", "left")
        screen = await built(app, pilot)
        form = screen.query_one(ConfigForm)
        assert form.query_one("#form-filter", Input).value == "zero"
        assert form.field.key == "diffusion.zero_terminal_snr"
        assert form._edits.texts["diffusion.zero_terminal_snr"] == "true"
        assert form._edits.texts["data.dataset"] == "digits"


async def test_no_key_launches_before_the_form_is_there(home, slow, monkeypatch) -> None:
    launched = []

    def new_training(*_, **__):
        launched.append(time.monotonic())
        raise RunError("not in a test")

    monkeypatch.setattr(launch, "new_training", new_training)
    async with opened(home, rows=0) as (app, pilot):
        burst(app, "n", "enter", "enter", "ctrl+l", "enter")
        screen = await built(app, pilot)
        assert app.focused is screen.query_one("#launch", Button)
        assert not launched
        assert not screen._launching
        await until(pilot, lambda: not app.focused.has_class("-active"))  # as a button is that was pressed
        await pilot.press("enter")
        await until(pilot, lambda: launched)


async def test_keys_for_a_form_that_is_left_before_it_is_there_are_void(home, monkeypatch) -> None:
    monkeypatch.setattr(sources, "presets", late(sources.presets))
    async with opened(home, rows=0) as (app, pilot):
        burst(app, "n", "/", *"zero", "escape")
        await until(pilot, lambda: app._count == 2 and isinstance(app.screen, RunsScreen))
        await pilot.pause(SLOW)
        burst(app, "n")
        assert (await built(app, pilot)).query_one("#form-filter", Input).value == ""


async def test_a_form_that_cannot_be_read_holds_no_keys_back(home, monkeypatch) -> None:
    def presets():
        raise OSError("gone")

    monkeypatch.setattr(sources, "presets", presets)
    async with opened(home, rows=0) as (app, pilot):
        burst(app, "n", "enter", "/")
        await built(app, pilot)
        burst(app, "escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))


async def test_the_sample_form_takes_what_is_typed_before_it_is_there(home, monkeypatch) -> None:
    make_run(home, "alpha")
    async with opened(home) as (app, pilot):
        monkeypatch.setattr(Store, "detail", late(Store.detail))
        burst(app, "p", "tab", "down", *"17")
        screen = await built(app, pilot, SampleScreen)
        command = screen._command()
        assert command[command.index("--steps") + 1] == "17"


async def test_a_burst_in_a_form_goes_where_its_keys_lead(home) -> None:
    async with opened(home, rows=0) as (app, pilot):
        burst(app, "n")
        screen = await built(app, pilot)
        burst(app, "enter", "/", *"learning_rate", "enter", "end", *("backspace",) * 8, *"3e-4", "up")
        burst(app, *("backspace",) * 13)
        await built(app, pilot)
        assert screen.query_one("#form-filter", Input).value == ""
        assert screen.query_one(ConfigForm)._edits.texts["training.learning_rate"] == "3e-4"
