"""A configuration edited as text, without any widget."""

from __future__ import annotations

import pytest

from ddpm.configfiles import build, check_field, fields, override, preset_names, resolve
from tui.widgets.config_edits import ConfigEdits

BASE = build({"data": {"dataset": "cifar10"}})


@pytest.mark.parametrize("preset", preset_names())
def test_a_preset_comes_back_as_it_was(preset: str) -> None:
    config = resolve(preset)[0]
    edits = ConfigEdits(config)
    assert edits.config == config
    assert edits.changes() == []
    assert edits.problems == {}


@pytest.mark.parametrize("preset", preset_names())
def test_changes_make_one_preset_of_another(preset: str) -> None:
    base, other = BASE, resolve(preset)[0]
    edits = ConfigEdits(other, base)
    assert override(base, edits.changes()) == other


def test_changes_are_as_few_as_possible() -> None:
    edits = ConfigEdits(BASE)
    edits.set("training.steps", "2000")
    edits.set("data.flip", "true")
    edits.set("model.multipliers", "1, 2")
    assert edits.changes() == ["data.flip=true", "model.multipliers=1,2", "training.steps=2000"]
    edits.set("training.steps", "1e5")  # the same number, written in another way
    assert not edits.changed("training.steps")


def test_unsetting_is_a_change_of_its_own() -> None:
    base = override(BASE, ["sampling.steps=20"])
    edits = ConfigEdits(base)
    edits.set("sampling.steps", "")
    assert edits.changes() == ["sampling.steps=unset"]
    assert override(base, edits.changes()) == edits.config


def test_what_is_wrong_is_told_as_check_field_tells_it() -> None:
    for key, text in [("model.channels", "33"), ("training.steps", "many"), ("model.multipliers", "1,x")]:
        edits = ConfigEdits(BASE)
        edits.set(key, text)
        assert edits.config is None
        assert f"{key}: {edits.problems[key]}" == check_field(BASE, key, text)
        assert edits.changed(key)


def test_a_problem_between_values_is_told_at_the_field_it_names() -> None:
    edits = ConfigEdits(BASE)
    edits.set("training.accumulation", "4")
    edits.set("training.batch_size", "6")
    assert list(edits.problems) == ["training.accumulation"]
    edits.set("training.batch_size", "8")
    assert edits.problems == {}


def test_several_problems_are_all_told() -> None:
    edits = ConfigEdits(BASE)
    edits.set("model.channels", "33")
    edits.set("training.steps", "")
    assert set(edits.problems) == {"model.channels", "training.steps"}


@pytest.mark.parametrize("text", ["1e999", "inf", "nan", "--1", "9" * 5000, "\x1b[31m", "[red]"])
@pytest.mark.parametrize("key", ["training.steps", "training.learning_rate", "model.attention"])
def test_no_text_breaks_it(key: str, text: str) -> None:
    edits = ConfigEdits(BASE)
    edits.set(key, text)
    assert edits.config is None
    assert key in edits.problems


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(KeyError):
        ConfigEdits(BASE).set("training.step", "1")
    assert list(ConfigEdits(BASE).texts) == list(fields())
