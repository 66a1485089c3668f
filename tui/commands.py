"""The command that does the same as a form in the app: what is shown, copied and recorded with the run."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ddpm import configfiles
from ddpm.config import Config, LikelihoodConfig, RestorationConfig
from ddpm.config_sampling import idle
from runs import home as homes

PROGRAM = "ddpm-tui"


def home_option(home: Path) -> tuple[str, ...]:
    """`--home DIR`, or nothing for the home that the command finds by itself."""
    usual = homes.absolute(os.environ.get("DDPM_HOME") or homes.default_folder())
    return () if home.resolve() == usual.resolve() else ("--home", str(home))


def settings(config: Config, base: Config) -> list[str]:
    """The `section.key=value` that make `config` of `base`."""
    ours, theirs = configfiles.flatten(config), configfiles.flatten(base)
    return [
        f"{key}={'unset' if value is None else configfiles.format_value(value)}"
        for key, value in ours.items()
        if value != theirs[key]
    ]


def train(
    source: str,
    base: Config,
    config: Config,
    *,
    name: str = "",
    tags: Sequence[str] = (),
    device: str = "auto",
    start: str = "",
    after: str = "",
    home: Sequence[str] = (),
) -> tuple[str, ...]:
    """`source` is a preset or a file, `base` what it says, `start` a RUN@STEP whose weights to begin with,
    `after` a run to wait for.

    `home` is what `home_option` says.
    """
    words = [PROGRAM, "train", source]
    for setting in settings(config, base):
        words += ["--set", setting]
    if start:
        words += ["--from", start]
    if after:
        words += ["--after", after]
    return (*words, *_identity(name, tags, device), *home)


#: Keys of [sampling] that are options of the same name, whether the forms ask for them or a run that is
#: drawn again had them.
SAMPLING = (
    *("sampler", "steps", "eta", "spacing", "rho", "clip", "guidance"),
    *("guidance_step", "guidance_class", "guidance_from", "guidance_to"),
    *("labels", "average", "seed", "batch_size", "compile"),
)


def sample(
    run: str,
    step: int,
    config: Config,
    usual: Config,
    *,
    device: str = "auto",
    home: Sequence[str] = (),
) -> tuple[str, ...]:
    """Of a run's checkpoint; what is as `usual` in the run's configuration needs no word."""
    words = [PROGRAM, "sample", f"{run}@{step}", "-n", str(config.sampling.count)]
    for key in _acting(config):
        value = getattr(config.sampling, key)
        if value != getattr(usual.sampling, key):
            words += [_flag(key), _told(value)]
    return (*words, *_identity("", (), device), *home)


def evaluate(
    run: str,
    step: int,
    config: Config,
    usual: Config,
    *,
    home: Sequence[str] = (),
) -> tuple[str, ...]:
    """Of a run's checkpoint; what is as `usual` in the run's configuration needs no word."""
    words = [PROGRAM, "evaluate", f"{run}@{step}", "-n", str(config.evaluation.samples)]
    for section, keys in (
        ("sampling", _acting(config)),
        ("evaluation", ("reference", "convention", "companions", "weights", "classifier")),
    ):
        for key in keys:
            value = getattr(getattr(config, section), key)
            if value == getattr(getattr(usual, section), key):
                continue
            if key == "companions":
                words.append(f"--{'' if value else 'no-'}{key}")
            else:
                words += [_flag(key), _told(value)]
    return (*words, *home)


def restore(
    run: str,
    step: int,
    source: str,
    restoration: RestorationConfig,
    usual: RestorationConfig,
    keys: Sequence[str],
    *,
    out: str = "",
    home: Sequence[str] = (),
) -> tuple[str, ...]:
    """Of a run's checkpoint and one input; of the settings `keys`, what is not as `usual`."""
    words = [PROGRAM, "restore", f"{run}@{step}", f"./{source}" if source.startswith("-") else source]
    for key in keys:
        value = getattr(restoration, key)
        if value == getattr(usual, key):
            continue
        if key == "degrade":
            words.append("--degrade")
        else:
            words += [_flag(key), "unset" if value is None else configfiles.format_value(value)]
    return (*words, *(("--out", out) if out else ()), *home)


#: Keys of [likelihood] that the form asks for, and that are options of the same name.
LIKELIHOOD = ("train", "test", "timesteps", "clip", "seed")


def likelihood(
    run: str,
    step: int,
    likelihood: LikelihoodConfig,
    usual: LikelihoodConfig,
    *,
    home: Sequence[str] = (),
) -> tuple[str, ...]:
    """Of a run's checkpoint; what is as `usual` in the run's configuration needs no word."""
    words = [PROGRAM, "likelihood", f"{run}@{step}"]
    for key in LIKELIHOOD:
        value = getattr(likelihood, key)
        if value != getattr(usual, key):
            words += [f"--{key}", "unset" if value is None else configfiles.format_value(value)]
    return (*words, *home)


def _identity(name: str, tags: Sequence[str], device: str) -> list[str]:
    words = ["--name", name] if name else []
    for tag in tags:
        words += ["--tag", tag]
    return words + (["--device", device] if device != "auto" else [])


def shell(command: Sequence[str]) -> str:
    """The command as one types it."""
    return shlex.join(command)


def _acting(config: Config) -> list[str]:
    """Those of SAMPLING that do something beside the others: the command refuses what does not."""
    without = idle(config.sampling, config.model.classes)
    return [key for key in SAMPLING if key not in without]


def _told(value: Any) -> str:
    """As the command reads it: "unset", and "all" of classes."""
    return "unset" if value is None else configfiles.format_value(value) or "all"


def _flag(key: str) -> str:
    return f"--{key.replace('_', '-')}"
