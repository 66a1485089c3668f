"""New run and sample: what the forms say, and what they launch."""

from __future__ import annotations

import os
import shutil

import pytest
from textual.widgets import Button, Input, OptionList

from ddpm import events
from runs import trash
from runs.directory import take_lock
from tests.runs.processes import kill_all
from tests.tui.building import home_at, make_run, make_sampling, record
from tests.tui.driving import opened, text_of, until
from tui.screens.new import NewScreen
from tui.screens.sample import SampleScreen
from tui.widgets.config_field import ConfigField
from tui.widgets.config_form import ConfigForm


@pytest.fixture
def home(tmp_path):
    return home_at(tmp_path / "home")


async def new_run(app, pilot) -> NewScreen:
    await pilot.press("n")
    await until(pilot, lambda: isinstance(app.screen, NewScreen) and not app.screen.building)
    return app.screen


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_a_newcomer_is_two_keys_from_the_launch(home, size, monkeypatch) -> None:
    monkeypatch.setenv("DDPM_HOME", str(home.path))
    async with opened(home, size, rows=0) as (app, pilot):
        screen = await new_run(app, pilot)
        assert screen._command() == ("ddpm-tui", "train", "digits")
        assert "$ ddpm-tui train digits" in text_of(app)
        assert {len(line) for line in text_of(app).splitlines()} == {size[0]}
        await pilot.press("enter")
        assert app.focused is screen.query_one("#launch", Button)


async def test_the_filter_is_one_key_away_from_anywhere(home) -> None:
    async with opened(home, rows=0) as (app, pilot):
        screen = await new_run(app, pilot)
        for start in ("#sources", "#device", "#launch"):
            screen.query_one(start).focus()
            await pilot.press("slash")
            assert app.focused is screen.query_one("#form-filter", Input), start
        await pilot.press(*"quadratic")
        assert screen.query_one("#form-filter", Input).value == "quadratic"
        assert screen.query_one("#tags", Input).value == ""


async def test_the_filter_asked_for_at_once_waits_for_the_form(home) -> None:
    async with opened(home, rows=0) as (app, pilot):
        app.simulate_key("n")
        app.simulate_key("slash")
        await until(pilot, lambda: isinstance(app.screen, NewScreen) and not app.screen.building)
        await until(pilot, lambda: app.focused is app.screen.query_one("#form-filter", Input))


async def test_the_help_of_a_setting_says_its_preset_value_in_full(home) -> None:
    async with opened(home, rows=0) as (app, pilot):
        form = (await new_run(app, pilot)).query_one(ConfigForm)
        for key, words in (
            ("diffusion.timesteps", "preset: 1000 · whole number, 2 to 100000"),
            ("training.precision", "preset: auto"),
        ):
            form.focus_field(key)
            await until(pilot, lambda key=key: form.field is not None and form.field.key == key)
            await until(pilot, lambda words=words: words in text_of(app))


async def test_a_slash_in_a_text_is_a_letter(home) -> None:
    async with opened(home, rows=0) as (app, pilot):
        screen = await new_run(app, pilot)
        screen.query_one("#tags", Input).focus()
        await pilot.press("slash")
        assert screen.query_one("#tags", Input).value == "/"


async def test_the_command_follows_the_form(home) -> None:
    async with opened(home, rows=0) as (app, pilot):
        screen = await new_run(app, pilot)
        await pilot.press("down")
        await until(pilot, lambda: screen._command()[2] == "mnist")
        screen.query_one("#name", Input).value = "my [b]run"
        screen.query_one("#tags", Input).value = "one, two"
        screen.query_one(ConfigForm).set_value("training.steps", "77")
        await until(pilot, lambda: "training.steps=77" in (screen._command() or ()))
        command = screen._command()
        assert command[:3] == ("ddpm-tui", "train", "mnist")
        assert command[command.index("--name") + 1] == "my [b]run"
        assert command.count("--tag") == 2
        await pilot.press("ctrl+y")
        assert "'my [b]run'" in app.clipboard


async def test_the_command_names_a_home_that_is_not_the_usual_one(tmp_path) -> None:
    home = home_at(tmp_path / "my home")
    make_run(home, "alpha")
    async with opened(home) as (app, pilot):
        screen = await new_run(app, pilot)
        assert screen._command()[-2:] == ("--home", str(home.path))
        await pilot.press("ctrl+y")
        assert app.clipboard.endswith(f"--home '{home.path}'")
        await pilot.press("escape", "p")
        await until(pilot, lambda: isinstance(app.screen, SampleScreen) and app.screen._command())
        assert app.screen._command()[-2:] == ("--home", str(home.path))


async def test_a_bad_value_cannot_be_launched(home) -> None:
    async with opened(home, rows=0) as (app, pilot):
        screen = await new_run(app, pilot)
        screen.query_one(ConfigForm).set_value("training.batch_size", "-3")
        await until(pilot, lambda: screen.query_one("#launch", Button).disabled)
        assert "at least 1" in text_of(app)
        await pilot.press("ctrl+l")
        assert not list(home.runs.iterdir())


async def test_a_taken_name_is_told_and_the_form_stays(home) -> None:
    make_run(home, "alpha")
    async with opened(home) as (app, pilot):
        screen = await new_run(app, pilot)
        screen.query_one("#name", Input).value = "alpha"
        await pilot.press("ctrl+l")
        await until(pilot, lambda: "is free" in text_of(app))
        assert app.screen is screen
        assert len(list(home.runs.iterdir())) == 1


async def test_a_run_can_wait_for_another(home) -> None:
    first = make_run(home, "alpha")
    make_run(home, "beta")
    lock = take_lock(first.path)  # as if it were at work
    try:
        async with opened(home) as (app, pilot):
            screen = await new_run(app, pilot)
            await until(pilot, lambda: "cpu is busy: alpha (#1)" in text_of(app).replace("\n", " "), 60)
            screen.query_one("#after", Input).value = "nobody"
            await until(pilot, lambda: "--after nobody" in " ".join(screen._command()), 60)
            await pilot.press("ctrl+l")
            await until(pilot, lambda: "nobody" in str(list(app._notifications)), 60)
            screen.query_one("#after", Input).value = "beta"
            await until(pilot, lambda: "beta has ended already" in text_of(app), 60)
            screen.query_one("#after", Input).value = "alpha"
            await until(pilot, lambda: "busy" not in text_of(app), 60)
            await pilot.press("ctrl+l")
            await until(pilot, lambda: "waits for #1 to end" in text_of(app), 60)
            await until(pilot, lambda: "· queued" in text_of(app), 60)  # once the toast is gone
            await pilot.press("escape")
            await until(pilot, lambda: "after #1" in text_of(app), 60)
    finally:
        kill_all(home)
        os.close(lock)


async def test_a_run_of_a_file_is_cloned_from_its_file(home) -> None:
    run = make_run(home, "alpha")
    run.edit(preset=None)
    async with opened(home) as (app, pilot):
        await pilot.press("C")
        await until(pilot, lambda: isinstance(app.screen, NewScreen) and not app.screen.building)
        assert app.screen._command()[2] == str(run.path / "config.toml")


async def test_sampling_begins_with_the_latest_checkpoint(home) -> None:
    make_run(home, "alpha")
    async with opened(home) as (app, pilot):
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, SampleScreen) and app.screen._command())
        screen = app.screen
        assert screen._command()[:3] == ("ddpm-tui", "sample", "1@200")
        assert "64 images by ddim, 50 evaluations" in text_of(app)
        await pilot.press("down")
        await until(pilot, lambda: screen._command()[2] == "1@100")
        await pilot.press("enter")
        assert app.focused is screen.query_one("#launch", Button)


async def test_sampling_again_uses_the_run_and_the_checkpoint_of_the_first_time(home) -> None:
    make_sampling(home, make_run(home, "alpha"))
    async with opened(home, rows=2) as (app, pilot):
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, SampleScreen) and app.screen._command())
        assert app.screen._command()[:3] == ("ddpm-tui", "sample", "1@200")


async def test_sampling_again_from_a_checkpoint_that_is_gone_asks_for_another(home) -> None:
    run = make_run(home, "alpha")
    make_sampling(home, run)
    shutil.rmtree(run.path / "checkpoints" / "00000200")
    record(run, events.CheckpointRemoved(200))
    async with opened(home, rows=2) as (app, pilot):
        await pilot.press("p")
        await until(pilot, lambda: "step 200 is gone" in text_of(app))
        assert app.screen.query_one("#launch", Button).disabled
        await pilot.press("down")
        await until(pilot, lambda: (app.screen._command() or ("",) * 3)[2] == "1@100")


async def test_sampling_again_from_a_run_that_is_gone_says_so(home) -> None:
    run = make_run(home, "alpha")
    make_sampling(home, run)
    trash.move(home, run)
    async with opened(home, rows=1) as (app, pilot):
        await pilot.press("p")
        await until(pilot, lambda: "is gone" in text_of(app))
        assert len(app.screen_stack) == 1


async def test_what_cannot_be_drawn_is_told_at_the_field(home) -> None:
    make_run(home, "alpha")
    async with opened(home, (100, 30)) as (app, pilot):
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, SampleScreen) and app.screen._command())
        await pilot.press("tab", "down", *"5000")
        await until(pilot, lambda: app.screen.query_one("#launch", Button).disabled)
        assert "1000" in text_of(app)
        await pilot.press("ctrl+l")
        assert len(list(home.runs.iterdir())) == 1


async def test_only_solvers_that_the_network_can_be_drawn_with_are_offered(home) -> None:
    make_run(home, "alpha")
    async with opened(home) as (app, pilot):
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, SampleScreen) and app.screen._command())
        row = next(row for row in app.screen.query(ConfigField) if row.spec.key == "sampling.sampler")
        offered = {value for value, _ in row.editor.options}
        assert {"ddim", "unipc"} <= offered
        assert "consistency" not in offered


async def test_a_setting_that_does_nothing_says_why_and_is_no_word_of_the_command(home) -> None:
    make_run(home, "alpha")
    async with opened(home, (160, 40)) as (app, pilot):
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, SampleScreen) and app.screen._command())
        app.screen._edit("sampling.eta", "0.5")
        await until(pilot, lambda: "--eta" in app.screen._command())
        assert "no choice of fresh noise" not in text_of(app)
        app.screen._edit("sampling.sampler", "unipc")
        await until(pilot, lambda: "unipc has no choice of fresh noise" in text_of(app))
        assert "--eta" not in app.screen._command()


async def test_a_run_without_checkpoints_says_so(home) -> None:
    make_run(home, "alpha", checkpoints=0)
    async with opened(home) as (app, pilot):
        await pilot.press("p")
        await until(pilot, lambda: "no checkpoint to draw with" in text_of(app))
        assert app.screen.query_one("#checkpoint-list", OptionList).option_count == 0


async def test_classes_are_asked_for_where_the_network_is_told_of_them(home) -> None:
    make_run(home, "alpha", settings=("model.classes=10",))
    async with opened(home) as (app, pilot):
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, SampleScreen) and app.screen._command())
        screen = app.screen
        screen._edit("sampling.guidance", "2.5")
        screen._edit("sampling.labels", "3,7")
        await until(pilot, lambda: "--guidance" in screen._command())
        command = screen._command()
        assert command[command.index("--guidance") + 1] == "2.5"
        assert command[command.index("--labels") + 1] == "3,7"
        assert "100 evaluations" in text_of(app)  # two for each step
        assert {row.spec.key for row in screen.query(ConfigField)} >= {"sampling.guidance", "sampling.labels"}


async def test_of_guidance_in_an_interval_the_most_evaluations_are_told(home) -> None:
    make_run(
        home, "alpha", settings=("model.classes=10", "sampling.guidance=2", "sampling.guidance_from=0.3")
    )
    async with opened(home, (120, 30)) as (app, pilot):
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, SampleScreen) and app.screen._command())
        assert "at most 100 evaluations" in text_of(app)
        app.screen._edit("sampling.guidance", "1")
        await until(pilot, lambda: "ddim, 50 evaluations" in text_of(app))


GUIDANCE = {"guidance", "guidance_from", "guidance_to"}


@pytest.mark.parametrize(
    ("checkpoints", "classes", "asked"),
    [
        (1, 0, set()),
        (1, 10, {*GUIDANCE, "labels"}),
        (2, 0, {*GUIDANCE, "guidance_step"}),
        (2, 10, {*GUIDANCE, "guidance_step", "guidance_class", "labels"}),
    ],
)
async def test_guidance_is_asked_for_where_there_is_something_to_be_guided_by(
    home, checkpoints: int, classes: int, asked: set[str]
) -> None:
    make_run(home, "alpha", checkpoints=checkpoints, settings=(f"model.classes={classes}",))
    async with opened(home) as (app, pilot):
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, SampleScreen) and app.screen._command())
        keys = {row.spec.key.removeprefix("sampling.") for row in app.screen.query(ConfigField)}
        assert {key for key in keys if key == "labels" or key.startswith("guidance")} == asked
        if "guidance_step" in asked:
            app.screen._edit("sampling.guidance", "2")
            app.screen._edit("sampling.guidance_step", "100")
            await until(pilot, lambda: "--guidance-step 100" in text_of(app).replace("\n", " "))
            assert "100 evaluations" in text_of(app)
            app.screen._edit("sampling.guidance_step", "77")
            await until(pilot, lambda: app.screen._command() is None)
            assert (
                app.screen._no_guide
                == "no such checkpoint before 200; kept are 100 (guidance 1 draws without)"
            )


async def test_where_the_runs_own_guide_is_missing_it_can_be_changed(home) -> None:
    guided = ("sampling.guidance=2", "sampling.guidance_step=150", "training.milestone_every=150")
    make_run(home, "alpha", checkpoints=1, settings=guided)
    async with opened(home, (120, 40)) as (app, pilot):
        await pilot.press("p")
        await until(
            pilot, lambda: isinstance(app.screen, SampleScreen) and list(app.screen.query(ConfigField))
        )
        assert app.screen._command() is None
        await until(pilot, lambda: "no such checkpoint before 200" in text_of(app))
        app.screen._edit("sampling.guidance", "1")
        await until(pilot, lambda: app.screen._command() is not None)
        assert "--guidance-step" not in app.screen._command()
