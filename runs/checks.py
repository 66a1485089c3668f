"""What a new run is made from, checked before anything is created."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ddpm import checkpoint, configfiles
from ddpm.config import Config
from runs.directory import RunDirectory
from runs.errors import BadValueError, RunError
from runs.home import absolute


def check_device(device: str) -> str:
    """A device's name as it can be recorded; whether this machine has it, the engine tells."""
    text = device.strip().lower()
    if not re.fullmatch(r"[a-z]+(:\d{1,3})?", text):
        raise BadValueError(f"{device!r} is not a device; write auto, cpu, cuda, cuda:1 or mps")
    return text


def check_has_checkpoints(run: RunDirectory) -> None:
    """RunError for a run that is no training."""
    if run.kind != "train":
        raise RunError(
            f"{run.name} (#{run.id}) is a {run.kind} run: only trainings have checkpoints to begin with"
        )


def latest_step(run: RunDirectory) -> int:
    """The step of a run's latest whole checkpoint. RunError where it has none."""
    check_has_checkpoints(run)
    steps = checkpoint.steps(run.path)
    if not steps:
        first = run.config().training.checkpoint_every
        raise RunError(f"{run.name} (#{run.id}) has no whole checkpoint; one is written every {first} steps")
    return steps[-1]


def checkpoint_of(run: RunDirectory, step: int) -> Path:
    """The folder of a whole checkpoint. RunError, with those there are, where there is none."""
    check_has_checkpoints(run)
    steps = checkpoint.steps(run.path)
    if step not in steps:
        there = ", ".join(str(s) for s in steps[-8:]) or "none"
        raise RunError(f"{run.name} (#{run.id}) has no whole checkpoint of step {step}; there are: {there}")
    return checkpoint.folder(run.path, step)


def check_same_network(run: RunDirectory, step: int, config: Config) -> None:
    """RunError where a checkpoint's weights do not fit the network that `config` describes."""
    mine, theirs = _network(config), _network(run.config())
    differ = [f"{k} is {theirs[k]} there and {mine[k]} here" for k in mine if mine[k] != theirs[k]]
    if differ:
        raise RunError(f"{run.name}@{step} is of another network: {'; '.join(differ)}")


def _network(config: Config) -> dict[str, str]:
    """What decides the shapes of the weights, in words."""
    channels, size, _ = config.data.shape
    model = config.model
    sizes = [size // 2**level for level in range(len(model.multipliers))]
    attention = ["yes" if s in model.attention else "no" for s in sizes]
    return {
        "data.channels": str(channels),
        "model.channels": str(model.channels),
        "model.multipliers": configfiles.format_value(model.multipliers),
        "model.blocks": str(model.blocks),
        "attention by resolution": ",".join(attention),
    }


def check_out(out: Path) -> Path:
    """`--out` as an absolute path. RunError where neither a grid nor images could go there."""
    path = absolute(out)
    if path.suffix.lower() == ".png":
        if path.is_dir():
            raise RunError(f"{path} is a folder; a grid needs a file's name")
        folder = path.parent
    else:
        folder = path
        if path.is_dir() and any(re.fullmatch(r"\d{6,}\.png", entry.name) for entry in path.iterdir()):
            raise RunError(f"{path} holds numbered images already; choose another folder, or remove them")
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise RunError(f"{folder} is a file, not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise RunError(f"{folder} cannot be written")
    return path


def absolute_root(config: Config) -> Config:
    """The worker works elsewhere, and the file must start the same run again: no relative folder."""
    if config.data.root is None:
        return config
    root = str(absolute(config.data.root))
    return config.model_copy(update={"data": config.data.model_copy(update={"root": root})})
