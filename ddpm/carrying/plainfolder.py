"""A trained network as a few plain files, small enough to be committed, to be made a run of anywhere.

    config.toml   ema.safetensors   state.json
    guide/        ema.safetensors   state.json      where `sampling.guidance_step` asks for an earlier step

`state.json` is as a checkpoint's: steps, images seen, length and SHA-256 of the weights; and how they are
stored, and what the run was called. Paths of the machine that the network was trained on are left out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from ddpm import averages, checkpoint, configfiles, guides
from ddpm.carrying import reading
from ddpm.carrying.reading import CarryError
from ddpm.config import Config
from ddpm.datafiles import shown


@dataclass(frozen=True, slots=True)
class Part:
    """Weights of one step."""

    tensors: Mapping[str, Tensor]
    told: Mapping[str, Any]  #: "step" and "images_seen", and what else is to be said of the run


CONFIG = "config.toml"
NAMES = (CONFIG, checkpoint.EMA, checkpoint.STATE)


def carried(config: Config) -> Config:
    """A run's configuration where of all its weights those that `sampling` asks for are the only ones.

    The weights themselves are an average of decay 0. CarryError for a power-function average, whose length
    `training.ema_decay` cannot tell.
    """
    told = averages.told(config.training, config.sampling)
    if told.get("ema_length") is not None:
        raise CarryError(
            f"sampling.average: an average of relative length {told['ema_length']:g} cannot be told by the "
            "one decay that such a folder has; `--to diffusers` takes it"
        )
    root = config.data.root and Path(config.data.root).name
    mask = config.restoration.mask
    changes: dict[str, dict[str, Any]] = {
        "data": {"root": (root or ".") if config.data.dataset == "folder" else None},
        "training": {
            "ema_decay": told["ema_decay"] or 0.0,
            "ema_decays": (),
            "ema_lengths": (),
            "ema_snapshots": 0,
        },
        "sampling": {"ema": True, "average": None},
        "evaluation": {"weights": None, "classifier": None},
        "restoration": {"mask": mask if mask in ("box", "random") else "box"},
    }
    values = config.model_dump()
    return configfiles.build({key: section | changes.get(key, {}) for key, section in values.items()})


@dataclass(frozen=True, slots=True)
class Carried:
    """What such a folder holds."""

    values: dict[str, dict[str, Any]]  #: of a configuration
    weights: dict[Path, dict[str, Any]]  #: files, their SHA-256 checked, each with its state; the run's last


def write(folder: Path, config: Config, parts: Sequence[Part], dtype: torch.dtype) -> None:
    """Fills a folder with the weights of a run's last step; before them may come those of its guide."""
    *guide, last = parts
    for part in guide:
        (folder / guides.FOLDER).mkdir()
        _write(folder / guides.FOLDER, part, dtype)
    _write(folder, last, dtype)
    (folder / CONFIG).write_text(configfiles.dumps(carried(config)), encoding="utf-8")


def _write(folder: Path, part: Part, dtype: torch.dtype) -> None:
    weights = safetensors.torch.save({name: t.to(dtype).contiguous() for name, t in part.tensors.items()})
    (folder / checkpoint.EMA).write_bytes(weights)
    entry = {"bytes": len(weights), "sha256": hashlib.sha256(weights).hexdigest()}
    state = {
        "format": checkpoint.FORMAT,
        **part.told,
        "dtype": str(dtype).removeprefix("torch."),
        "files": {checkpoint.EMA: entry},
    }
    (folder / checkpoint.STATE).write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")


def is_one(folder: Path) -> bool:
    """Whether a folder is meant to be one, whatever is wrong with it."""
    return any(reading.size(folder / name) is not None for name in NAMES)


def read(folder: Path) -> Carried:
    """Of somebody's configuration no path is taken that could name a file here (see `carried`). CarryError,
    CheckpointError or ConfigError for what is missing, damaged or no configuration.
    """
    for name in NAMES:
        reading.first(folder, name)
    config = configfiles.loads(reading.text(folder / CONFIG), shown(folder / CONFIG))
    state = _state(folder)
    weights = {folder / checkpoint.EMA: state}
    if (step := config.sampling.guide) is not None:
        guide = folder / guides.FOLDER
        for name in (checkpoint.EMA, checkpoint.STATE):
            reading.first(guide, name)
        earlier = _state(guide)
        if not earlier["step"] == step < state["step"]:
            raise CarryError(
                f"{shown(guide)}: of step {earlier['step']}; the guide is step {step}, before {state['step']}"
            )
        weights = {guide / checkpoint.EMA: earlier, **weights}
    return Carried(carried(config).model_dump(), weights)


def _state(folder: Path) -> dict[str, Any]:
    """state.json beside weights that are as it says."""
    reading.json_object(folder / checkpoint.STATE)
    saved = checkpoint.open_folder(folder)
    if saved.step >= 2**63 or saved.images_seen >= 2**63:
        raise CarryError(f"{shown(folder / checkpoint.STATE)}: no training has so many steps")
    saved.read(checkpoint.EMA)
    return saved.state
