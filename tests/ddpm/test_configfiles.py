"""Configurations from text, and what is said of those that are wrong."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddpm.config import Config, DataConfig
from ddpm.configfiles import (
    ConfigError,
    build,
    check_field,
    dumps,
    fields,
    flatten,
    format_value,
    load,
    loads,
    override,
    parse_value,
    preset_names,
    preset_summary,
    resolve,
)


def problem(*settings: str, preset: str = "mnist") -> str:
    with pytest.raises(ConfigError) as caught:
        resolve(preset, settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("training.stepz=3", "training.stepz: no such key; did you mean training.steps?"),
        ("traning.steps=3", "traning.steps: no such key; did you mean training.steps?"),
        ("steps=3", "steps: no such key; did you mean training.steps?"),
        ("training.steps=0", "training.steps: '0' is not a whole number, at least 1"),
        ("training.steps=1.5", "training.steps: '1.5' is not a whole number, at least 1"),
        ("training.steps=nan", "training.steps: 'nan' is not a whole number, at least 1"),
        ("training.steps=inf", "training.steps: 'inf' is not a whole number, at least 1"),
        ("training.learning_rate=nan", "training.learning_rate: 'nan' is not a number, above 0, at most 1"),
        ("training.steps", "--set training.steps: expected section.key=value"),
        ("diffusion.schedule=cosin", "did you mean cosine?"),
        ("data.dataset=minst", "did you mean mnist?"),
        ("data.channels=2", "data.channels: '2' is not one of 1, 3, or unset"),
        ("data.flip=maybe", "data.flip: 'maybe' is not true or false"),
        (
            "model.channels=12",
            "model.channels: '12' is not a whole number, at least 8, at most 1024, a multiple of 8",
        ),
        ("model.multipliers=1,,2", "model.multipliers: '1,,2' is not whole numbers separated by commas"),
        ("sampling.labels=,3", "sampling.labels: ',3' is not classes by number or name, separated by commas"),
        (
            "sampling.labels=٣",
            "'٣' is not the number of a class, and mnist has no names for them",
        ),
        ("training.steps=٣", "training.steps: '٣' is not a whole number, at least 1"),
        ("sampling.eta=٠", "sampling.eta: '٠' is not a number"),
        ("model.multipliers=1,x", "model.multipliers: '1,x' is not whole numbers separated by commas"),
        ("model.multipliers=1,1,1,1", "4 resolutions need an image size divisible by 8; it is 28"),
        ("training.accumulation=7", "training.accumulation: 7 does not divide batch_size"),
        ("sampling.steps=2000", "sampling.steps: 2000 is above diffusion.timesteps 1000"),
        (
            "training.batch_size=1e30",
            "at most 65536",
        ),
        ("data.root=a\0b", "data.root: the path has characters"),
        ("data.root=a\udcffb", "data.root: the path has characters"),
        ("diffusion.beta_start=0.5", "noise must grow"),
        ("data.dataset=folder", "data.root: dataset `folder` needs the folder's path"),
    ],
)
def test_a_bad_setting_gets_one_clear_line(setting: str, message: str) -> None:
    assert message in problem(setting)


def test_an_unknown_preset_names_the_nearest() -> None:
    assert problem(preset="mnits") == (
        "preset 'mnits' does not exist; there are cifar10, cifar10-cpu, cifar10-gpu, cifar10-small, "
        "digits, fashion-mnist, mnist, mnist-consistency, mnist-cpu, mnist-gpu; did you mean mnist?"
    )


def test_settings_apply_together_whatever_their_order() -> None:
    config, _ = resolve("mnist", ["training.accumulation=7", "training.batch_size=14"])
    assert (config.training.batch_size, config.training.accumulation) == (14, 7)


def test_numbers_may_be_written_as_people_write_them() -> None:
    config, _ = resolve(
        "mnist", ["training.steps=2e4", "model.attention=", "training.checkpoint_every=1_000"]
    )
    assert (config.training.steps, config.model.attention) == (20_000, ())
    assert config.training.checkpoint_every == 1000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training = [", "x.toml: not TOML"),
        ("[trainin]\nsteps = 1", "x.toml: [trainin]: no such section; did you mean training?"),
        ("training = 3", "x.toml: training: 3 is not a section"),
        ("[training]\nsteps = 'many'", "x.toml: training.steps: 'many' is not a whole number, at least 1"),
        ("[training]\nstep = 5", "x.toml: training.step: no such key; did you mean training.steps?"),
        ("[model]\nmultipliers = [1, 'b']", "x.toml: model.multipliers: 'b' is not"),
        ("[training]\nsteps = true", "x.toml: training.steps: 'true' is not a whole number"),
        ("[training]\nsteps = '5'", "x.toml: training.steps: '5' is not a whole number"),
        ("[model]\nmultipliers = [true]", "x.toml: model.multipliers: 'true' is not whole numbers"),
        (
            "[training]\nema_lengths = '0.05'",
            "x.toml: training.ema_lengths: '0.05' is no list; write [0.05]",
        ),
        ("[model]\nmultipliers = '1,2'", "x.toml: model.multipliers: '1,2' is no list; write [1, 2]"),
        ("[model]\nmultipliers = 2", "x.toml: model.multipliers: '2' is no list; write [2]"),
        ("[model]\nmultipliers = 'a'", "x.toml: model.multipliers: 'a' is no list of whole numbers"),
        ("[data]\nflip = 1", "x.toml: data.flip: '1' is not true or false"),
        ('[training]\n"a\\nb" = 1', "x.toml: 'training.a\\nb': no such key"),
        ("x = " + "[" * 100_000, "x.toml: not TOML: nested too deeply"),
        ("x = " + "1" * 5000, "x.toml: not TOML: Exceeds the limit"),
        ("[data]\nimage_size = [1]", "x.toml: data.image_size: '1' is not a whole number"),
    ],
)
def test_a_bad_file_gets_one_clear_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loads(text, "x.toml")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(tmp_path / "binary.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)


def test_every_problem_of_a_file_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        build({"training": {"steps": 0, "batch_size": -1}})
    assert len(caught.value.problems) == 2


def test_errors_of_different_kinds_do_not_hide_each_other() -> None:
    text = (
        "[modle]\nchannels = 8\n[model]\nmultiplier = [1]\n[training]\nsteps = 0\nema_lengths = 0.1\n"
        "ema_snapshots = 5\n[data]\nflip = 1\n[sampling]\nsampler = 'heum'"
    )
    with pytest.raises(ConfigError) as caught:
        loads(text, "x")
    assert [problem.split(":")[1].strip() for problem in caught.value.problems] == [
        *("[modle]", "model.multiplier", "training.ema_lengths", "data.flip", "training.steps"),
        "sampling.sampler",
    ]
    with pytest.raises(ConfigError) as caught:
        resolve("digits", ["training.steps=x", "steps", "data.flip=2"])
    assert len(caught.value.problems) == 3


def test_lists_are_read_as_people_type_them() -> None:
    for text in ("1,2", "1, 2", "[1, 2]", "1 2", "(1,2,)", "1,2,"):
        assert parse_value("model.multipliers", text) == (1, 2)
    assert parse_value("model.attention", "[]") == parse_value("model.attention", " ") == ()


@pytest.mark.parametrize("name", preset_names())
def test_presets_are_valid_and_say_what_they_reach(name: str) -> None:
    config, preset = resolve(name)
    assert preset == name
    assert loads(dumps(config), name) == config
    assert preset_summary(name)


@given(
    st.builds(
        DataConfig,
        dataset=st.sampled_from(["mnist", "digits"]),
        root=st.none()
        | st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1),
        image_size=st.none() | st.sampled_from([8, 32]),
        channels=st.none() | st.sampled_from([1, 3]),
        flip=st.booleans(),
    )
)
def test_toml_round_trips(data: DataConfig) -> None:
    config = Config(data=data, model={"multipliers": (1, 2)})  # type: ignore[arg-type]
    assert loads(dumps(config), "x") == config


@pytest.mark.parametrize("key", list(fields()))
def test_every_value_is_read_back_as_it_is_shown(key: str) -> None:
    for name in preset_names():
        value = flatten(resolve(name)[0])[key]
        assert parse_value(key, format_value(value)) == value


def test_fields_have_words_for_the_form() -> None:
    assert "training.steps" in fields()
    assert all(s.description and s.allowed for s in fields().values())
    assert fields()["data.dataset"].choices[0] == "mnist"
    assert fields()["data.root"].optional


def test_a_field_is_checked_as_it_is_typed() -> None:
    config, _ = resolve("mnist")
    assert check_field(config, "training.steps", "10") is None
    assert check_field(config, "training.steps", "") == (
        "training.steps: '' is not a whole number, at least 1, at most 1000000000"
    )
    assert check_field(config, "model.multipliers", "1,1,1,1") is not None
    assert check_field(config, "data.image_size", "") is None


def test_grey_and_colour_and_size_come_from_the_data_set_unless_given() -> None:
    assert resolve("mnist")[0].data.shape == (1, 28, 28)
    config = override(resolve("mnist")[0], ["data.image_size=32", "data.channels=3"])
    assert config.data.shape == (3, 32, 32)


def test_the_models_own_defaults_are_a_valid_configuration() -> None:
    assert Config().data.shape == (1, 28, 28)
    assert loads('[data]\ndataset = "cifar10"', "x").data.shape == (3, 32, 32)


def test_timesteps_may_be_lowered_by_themselves() -> None:
    config, _ = resolve("digits", ["diffusion.timesteps=10"])
    assert config.sampling.resolved_steps(10) == 10


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("cat,dog", (3, 5)),
        ("3, Ship", (3, 8)),
        ("[horse]", (7,)),
        ("cat,", (3,)),
        ("3 7", (3, 7)),
        ("", ()),
        ("1e0,cat", (1, 3)),
        ("1 2,cat", (1, 2, 3)),
        ("all", ()),
        ("none", ()),
        ("cat,cat", (3, 3)),
    ],
)
def test_classes_may_be_named(text: str, labels: tuple[int, ...]) -> None:
    cifar = override(Config(), ["data.dataset=cifar10", "model.classes=10"])
    assert override(cifar, [f"sampling.labels={text}"]).sampling.labels == labels


def test_names_are_those_of_the_data_set() -> None:
    told = ["model.classes=10"]
    fashion = override(Config(), ["data.dataset=fashion-mnist", *told, "sampling.labels=ankle boot,bag"])
    assert fashion.sampling.labels == (9, 8)
    text = '[data]\ndataset = "cifar10"\n[model]\nclasses = 10\n[sampling]\nlabels = ["cat", 5]\n'
    assert loads(text, "mine.toml").sampling.labels == (3, 5)
    with pytest.raises(ConfigError, match=r"no class 'Cta'; there are airplane, .*; did you mean cat\?$"):
        override(Config(), ["data.dataset=cifar10", *told, "sampling.labels=dog,Cta"])
    with pytest.raises(ConfigError, match=r"'cat' is not the number of a class, and mnist has no names"):
        override(Config(), [*told, "sampling.labels=cat"])
    folder = ["data.dataset=folder", "data.root=x", "data.image_size=8", "sampling.labels=cat"]
    with pytest.raises(ConfigError, match=r"those of a folder go by the order of its sub-folders$"):
        override(Config(), [*told, *folder])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ('"cat"', "'cat' is no list; write [\"cat\"]"),
        ('"cat, 5"', "'cat, 5' is no list; write [\"cat\", 5]"),
        ("3", "'3' is no list; write [3]"),
        ("true", "'true' is no list of classes by number or name"),
        ("2.5", "'2.5' is no list of classes by number or name"),
        ('[2.5, "cat"]', "'2.5' is not classes by number or name, separated by commas"),
        ('["cta"]', "there is no class 'cta'"),
    ],
)
def test_labels_in_a_file_that_are_no_classes(labels: str, message: str) -> None:
    text = f'[data]\ndataset = "cifar10"\n[model]\nclasses = 10\n[sampling]\nlabels = {labels}\n'
    with pytest.raises(ConfigError) as error:
        loads(text, "mine.toml")
    assert error.value.problems[0].startswith(f"mine.toml: sampling.labels: {message}")


@pytest.mark.parametrize("labels", ['"all"', '["all"]', "[]"])
def test_all_classes_are_asked_for_in_a_file(labels: str) -> None:
    text = f'[data]\ndataset = "cifar10"\n[model]\nclasses = 10\n[sampling]\nlabels = {labels}\n'
    assert loads(text, "mine.toml").sampling.labels == ()


def test_a_number_in_quotes_is_that_class() -> None:
    text = '[data]\ndataset = "cifar10"\n[model]\nclasses = 10\n[sampling]\nlabels = ["3", "dog"]\n'
    assert loads(text, "mine.toml").sampling.labels == (3, 5)


def test_names_of_a_data_set_that_there_is_none_of_are_told_in_a_line() -> None:
    text = '[data]\ndataset = "a\\nb"\n[sampling]\nlabels = ["cat"]\n'
    with pytest.raises(ConfigError) as error:
        loads(text, "mine.toml")
    assert all("\n" not in problem and "no names" not in problem for problem in error.value.problems)
