"""The command shown in the app does the same as the form: the command's own parser reads it back."""

from __future__ import annotations

import shlex

import pytest

from ddpm import configfiles
from runs.cli import evaluate as evaluate_verb
from runs.cli import likelihood as likelihood_verb
from runs.cli import sample as sample_verb
from runs.cli import train as train_verb
from runs.cli.parser import Parser
from tui import commands


def given(args, options):
    """The settings that a command's options say."""
    return [f"{key}={value}" for key in options if (value := getattr(args, key, None)) is not None]


def parsed(verb, command):
    parser = Parser(verb.__name__, "", "")
    verb.arguments(parser)
    return parser.parse_args(list(command)[2:])


@pytest.mark.parametrize(
    "settings",
    [
        [],
        ["training.steps=7", "model.multipliers=1,2,2", "data.flip=true", "training.learning_rate=3e-5"],
        ["sampling.steps=unset", "data.root=/a b/[c]'d", "training.precision=float32"],
    ],
)
def test_train_starts_the_same_configuration(settings) -> None:
    base, _ = configfiles.resolve("mnist")
    config = configfiles.override(base, settings)
    command = commands.train("mnist", base, config, name="a [b]", tags=("x", "y"), device="cpu", start="3@20")
    args = parsed(train_verb, shlex.split(commands.shell(command)))
    assert configfiles.resolve(args.source, args.set)[0] == config
    assert (args.name, args.tag, args.device, args.origin) == ("a [b]", ["x", "y"], "cpu", "3@20")


def test_only_a_home_that_is_not_the_usual_one_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("DDPM_HOME", str(tmp_path))
    assert commands.home_option(tmp_path) == ()
    other = tmp_path / "a b"
    assert commands.home_option(other) == ("--home", str(other))
    monkeypatch.delenv("DDPM_HOME")
    assert commands.home_option(tmp_path) == ("--home", str(tmp_path))
    base, _ = configfiles.resolve("digits")
    command = commands.train("digits", base, base, home=commands.home_option(other))
    assert parsed(train_verb, shlex.split(commands.shell(command))).home == str(other)


def test_what_is_usual_needs_no_word() -> None:
    base, _ = configfiles.resolve("digits")
    assert commands.train("digits", base, base) == ("ddpm-tui", "train", "digits")


@pytest.mark.parametrize(
    "settings",
    [
        [],
        ["sampling.sampler=ddpm", "sampling.steps=unset", "sampling.seed=9", "sampling.count=3"],
        ["sampling.eta=0.5", "sampling.spacing=quadratic", "sampling.steps=20"],
        ["sampling.spacing=karras", "sampling.rho=3", "sampling.clip=false"],
        ["sampling.guidance=2", "sampling.guidance_step=100", "sampling.guidance_to=0.8"],
    ],
)
def test_sample_draws_the_same_images(settings) -> None:
    base, _ = configfiles.resolve("digits")
    wanted = configfiles.override(base, settings)
    args = parsed(sample_verb, commands.sample("7", 200, wanted, base))
    said = given(args, [f"sampling.{key}" for key in sample_verb.OPTIONS])
    assert args.run == "7@200"
    assert configfiles.override(base, said) == wanted


@pytest.mark.parametrize(
    "settings",
    [
        [],
        ["sampling.sampler=ddpm", "sampling.steps=unset", "sampling.seed=9", "evaluation.samples=50000"],
        ["evaluation.convention=pytorch-fid", "evaluation.reference=test", "evaluation.companions=false"],
        ["sampling.eta=0.5", "sampling.spacing=quadratic", "evaluation.weights=/a b/[c].pth"],
        ["evaluation.classifier=/a b/[c].safetensors"],
        ["sampling.spacing=karras", "sampling.rho=3", "sampling.clip=false"],
        ["sampling.guidance=2", "sampling.guidance_step=100", "sampling.guidance_to=0.8"],
    ],
)
@pytest.mark.parametrize("usual", [[], ["evaluation.companions=false", "evaluation.weights=/other"]])
def test_evaluate_measures_the_same(settings, usual) -> None:
    base = configfiles.override(configfiles.resolve("mnist")[0], usual)
    wanted = configfiles.override(base, [*settings, "evaluation.companions=true"] if usual else settings)
    command = commands.evaluate("7", 200, wanted, base)
    args = parsed(evaluate_verb, shlex.split(commands.shell(command)))
    said = given(args, evaluate_verb.OPTIONS)
    if args.companions is not None:
        said.append(f"evaluation.companions={args.companions}".lower())
    assert args.run == "7@200"
    assert configfiles.override(base, said) == wanted


@pytest.mark.parametrize(
    "settings",
    [
        [],
        ["likelihood.train=7", "likelihood.test=0", "likelihood.timesteps=9", "likelihood.clip=false"],
        ["likelihood.seed=3", "likelihood.test=unset"],
    ],
)
@pytest.mark.parametrize("usual", [[], ["likelihood.test=4", "likelihood.timesteps=20"]])
def test_likelihood_measures_the_same(settings, usual) -> None:
    base = configfiles.override(configfiles.resolve("mnist")[0], usual)
    wanted = configfiles.override(base, settings)
    command = commands.likelihood("7", 200, wanted.likelihood, base.likelihood)
    args = parsed(likelihood_verb, shlex.split(commands.shell(command)))
    said = given(args, [f"likelihood.{key}" for key in likelihood_verb.OPTIONS])
    assert args.run == "7@200"
    assert configfiles.override(base, said) == wanted


def test_all_classes_are_called_so() -> None:
    usual = configfiles.override(
        configfiles.resolve("mnist")[0], ["model.classes=10", "sampling.labels=3", "sampling.count=4"]
    )
    every = configfiles.override(usual, ["sampling.labels=all"])
    command = commands.sample("1", 20, every, usual)
    assert command[-2:] == ("--labels", "all")
    said = given(parsed(sample_verb, command), (f"sampling.{key}" for key in sample_verb.OPTIONS))
    assert configfiles.override(usual, said) == every
