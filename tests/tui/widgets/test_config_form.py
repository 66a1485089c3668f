"""The form, by its keys."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from ddpm.configfiles import build, resolve
from runs.text import width
from tests.tui.widgets.hosts import Host, until
from tui.widgets.choice import Choice
from tui.widgets.config_field import ConfigField, by_words
from tui.widgets.config_form import ConfigForm, asked

BASE = build({"data": {"dataset": "cifar10"}})


def row(form: ConfigForm, key: str) -> ConfigField:
    return next(r for r in form.query(ConfigField) if r.spec.key == key)


async def whole(pilot: Pilot[None], form: ConfigForm) -> None:
    await until(pilot, lambda: len(form.query(ConfigField)) == len(asked()))


async def test_typing_changes_the_configuration() -> None:
    form = ConfigForm(BASE)
    app = Host(form, kinds=(ConfigForm.Changed,))
    async with app.run_test(size=(80, 24)) as pilot:
        await whole(pilot, form)
        form.focus_field("training.steps")
        await pilot.press("ctrl+u", *"2000")
        assert form.changes() == ["training.steps=2000"]
        config = form.config()
        assert config is not None
        assert config.training.steps == 2000
        shown = row(form, "training.steps").render().plain
        assert shown.startswith("• steps")
        assert "preset: 100000" in shown
        await pilot.press("ctrl+r")
        assert form.changes() == []
        await pilot.pause()
        last = app.seen[-1]
        assert isinstance(last, ConfigForm.Changed)
        assert last.config == BASE


async def test_a_problem_stands_below_its_field_literally() -> None:
    form = ConfigForm(BASE)
    async with Host(form).run_test(size=(80, 24)) as pilot:
        await whole(pilot, form)
        form.focus_field("model.channels")
        await pilot.press("ctrl+u", *"[red]3")
        await pilot.pause()
        assert form.config() is None
        shown = row(form, "model.channels").render().plain
        assert "✕ '[red]3' is not a whole number" in shown
        assert row(form, "model.channels").size.height > 1
        await pilot.press("ctrl+u", *"64")
        await pilot.pause()
        assert row(form, "model.channels").size.height == 1
        assert form.problems() == {}


async def test_arrows_go_from_field_to_field_and_choose() -> None:
    form = ConfigForm(BASE)
    async with Host(form).run_test(size=(80, 24)) as pilot:
        await whole(pilot, form)
        form.focus_field()
        await pilot.pause()
        assert form.field == asked()["data.dataset"]
        await pilot.press("right")
        assert form.changes() == ["data.dataset=digits"]
        await pilot.press("down", "down", "down", "right")
        assert form.changes()[-1] == "data.channels=1"
        await pilot.press("down", "left")
        assert form.changes()[-1] == "data.flip=true"
        await pilot.press("pagedown")
        assert form.field == asked()["model.channels"]
        await pilot.press("pagedown", "down", "pageup")
        assert form.field == asked()["diffusion.timesteps"]
        await pilot.press("pageup", "up", "enter")
        assert form.field == asked()["model.channels"]


async def test_every_field_is_reached_by_down_and_is_in_view() -> None:
    form = ConfigForm(BASE)
    async with Host(form).run_test(size=(80, 24)) as pilot:
        await whole(pilot, form)
        form.focus_field()
        await pilot.pause()
        for spec in asked().values():
            assert form.field == spec
            place = row(form, spec.key)
            await until(pilot, lambda place=place: 2 <= place.region.y < 21)
            form.action_move(1)
            await pilot.pause()


async def test_the_help_line_tells_of_the_focused_field() -> None:
    form = ConfigForm(BASE)
    async with Host(form).run_test(size=(80, 24)) as pilot:
        await whole(pilot, form)
        form.focus_field("model.dropout")
        await pilot.pause()
        text = str(form.query_one("#form-help").render())
        assert "Dropout inside residual blocks" in text
        assert "preset: 0.1 · number, at least 0, below 1" in text


async def test_the_filter_narrows_and_focusing_a_hidden_field_ends_it() -> None:
    form = ConfigForm(BASE)
    async with Host(form).run_test(size=(80, 24)) as pilot:
        await whole(pilot, form)
        form.action_filter()
        await pilot.press(*"beta")
        await pilot.pause()
        shown = [r.spec.key for r in form.query(ConfigField) if r.display]
        assert shown == [
            "diffusion.schedule",
            "diffusion.beta_start",
            "diffusion.beta_end",
            "diffusion.variance",
        ]
        await pilot.press("down", "down")
        assert form.field == asked()["diffusion.beta_start"]
        form.focus_field("training.seed")
        await pilot.pause()
        assert all(r.display for r in form.query(ConfigField))
        assert form.field == asked()["training.seed"]


async def test_load_shows_other_values_against_another_base() -> None:
    base, other = resolve("mnist")[0], resolve("cifar10")[0]
    form = ConfigForm(BASE)
    async with Host(form).run_test(size=(80, 24)) as pilot:
        form.load(other, base)  # at once, before the lower sections are there
        await whole(pilot, form)
        assert form.config() == other
        assert "data.dataset=cifar10" in form.changes()
        assert row(form, "data.dataset").text == "cifar10"
        await pilot.pause()
        assert form.config() == other


async def test_a_field_that_is_not_there_yet_gets_the_focus_when_it_is() -> None:
    form = ConfigForm(BASE)
    async with Host(form).run_test(size=(80, 24)) as pilot:
        form.focus_field("sampling.seed")
        await until(pilot, lambda: form.field == asked()["sampling.seed"])


async def test_the_first_problem_gets_the_focus() -> None:
    form = ConfigForm(BASE)
    async with Host(form).run_test(size=(80, 24)) as pilot:
        await whole(pilot, form)
        form.set_value("training.seed", "-1")
        form.focus_field()
        await pilot.pause()
        assert form.field == asked()["training.seed"]


async def test_optional_fields_say_unset() -> None:
    form = ConfigForm(BASE)
    async with Host(form).run_test(size=(80, 24)):
        assert row(form, "data.root").editor.placeholder == "unset"  # type: ignore[union-attr]
        choice = row(form, "data.channels").editor
        assert isinstance(choice, Choice)
        assert choice.options[0] == ("", "unset")


@pytest.mark.parametrize(("width", "text"), [(60, "● a"), (8, "‹ a ›")])
async def test_a_choice_fits_its_place(width: int, text: str) -> None:
    choice = Choice([("a", "a"), ("b", "longer")], "a")
    async with Host(choice).run_test(size=(width, 3)) as pilot:
        assert choice.render().plain.startswith(text)
        choice.focus()
        await pilot.press("space")
        assert choice.value == "b"
        await pilot.press("right")
        assert choice.value == "a"
        await pilot.click(choice, offset=(6, 0))
        assert choice.value == "b"


async def test_what_is_typed_faster_than_it_is_read_is_not_lost() -> None:
    form = ConfigForm(BASE)
    app = Host(form, kinds=(ConfigForm.Changed,))
    async with app.run_test(size=(80, 24)) as pilot:
        await whole(pilot, form)
        steps, channels = row(form, "training.steps").editor, row(form, "model.channels").editor
        steps.value, channels.value = "20", "96"
        for _ in range(5):
            await pilot.pause(0.05)
            assert (steps.value, channels.value) == ("20", "96")
        assert form.changes() == ["model.channels=96", "training.steps=20"]
        assert len(app.seen) <= 2, "the fields write each other's texts back and forth"


@pytest.mark.parametrize("room", [20, 28, 60])
def test_a_problem_breaks_between_words(room: int) -> None:
    problem = "there is no class 'cta'; there are airplane, automobile, bird, cat and " + "日本語" * 12
    rows = by_words(problem, room)
    assert "".join(rows).replace(" ", "") == problem.replace(" ", "")
    assert len(rows) > 1
    assert all(width(line) <= room for line in rows)
    assert all(any(word in line.split() for line in rows) for word in problem.split()[:-1])
