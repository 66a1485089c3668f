"""Making what a run consists of from a folder of weights: a configuration and a checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from ddpm import checkpoint, configfiles, unet
from ddpm.carrying import peerfolder, plainfolder, tensors
from ddpm.carrying.reading import CarryError
from ddpm.config import NATIVE_SHAPES, Config
from ddpm.datafiles import shown

#: Data sets that images of a shape are taken for: (size, channels).
_USUAL = {(32, 3): "cifar10", (28, 1): "mnist", (32, 1): "mnist", (8, 1): "digits"}
#: What the weights decide, but for these.
_FREE = ("model.dropout", "diffusion.variance", "data.dataset", "data.root", "data.flip", "data.crop")


def make(folder: Path, target: Path, settings: Sequence[str] = ()) -> dict[str, Any]:
    """Writes config.toml and a checkpoint (checkpoints/…) into the folder `target`, and where the weights
    have a guide the checkpoint of that.

    folder: as diffusers writes a DDPMPipeline, or as `plainfolder` does; which, its files tell. settings:
    `section.key=value` changes of what does not depend on the weights, the data set among them, which is
    guessed by the images' shape where nothing names it.

    Returns {"format", "step" (None: not known), "images_seen", "parameters", "dataset", "preset", "name",
    "sha256" (of the file of weights written), "guide_sha256" (likewise; None: no guide), "notes"}.

    Raises CarryError, CheckpointError or ConfigError, in one line, for what cannot be carried.
    """
    if not folder.is_dir():
        raise CarryError(f"{shown(folder)}: not a folder")
    state: dict[str, Any] = {}
    guide: list[tuple[Path, dict[str, Any]]] = []
    notes: list[str] = []
    if peerfolder.is_one(folder):
        values, source, notes = peerfolder.read(folder)
        values = _with_data(values, settings)
        if _named(settings, "data.dataset") is None:
            dataset = values["data"]["dataset"]
            notes.append(f"data.dataset: taken to be {dataset}, by the shape of the images (--dataset)")
    elif plainfolder.is_one(folder):
        carried = plainfolder.read(folder)
        values, (*guide, (source, state)) = carried.values, carried.weights.items()
        if values["data"]["root"] and _named(settings, "data.root") is None:
            notes.append(f"data.root: {values['data']['root']!r} is looked for here; --set data.root=DIR")
    else:
        raise CarryError(
            f"{shown(folder)}: neither a folder as diffusers writes it ({peerfolder.INDEX}) nor one of "
            f"{', '.join(plainfolder.NAMES)}"
        )
    config = _configured(values, settings)
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in unet.make(config).state_dict().items()}
    saved, earlier = None, None
    for file, told in [*guide, (source, state)]:
        earlier = saved
        saved = _written(target, safetensors.torch.save(tensors.read(file, shapes)), told, config)
    assert saved is not None
    step, images = saved.step, saved.images_seen
    (target / "config.toml").write_text(configfiles.dumps(config), encoding="utf-8")
    if config.model.classes and not state:
        notes.append(
            f"model.classes: the last of {config.model.classes + 1} class embeddings is taken for that of "
            "images whose class is not told"
        )
    return {
        "format": "safetensors" if state else "diffusers",
        "step": step or None,  # of weights whose training nobody knows, a plain folder says 0
        "images_seen": images or None,
        "parameters": sum(shape.numel() for shape in shapes.values()),
        "dataset": config.data.dataset,
        "preset": _text(state.get("preset")) if state.get("preset") in configfiles.preset_names() else None,
        "name": _text(state.get("name")),
        "sha256": _sha256(saved),
        "guide_sha256": _sha256(earlier) if earlier else None,
        "notes": notes,
    }


def _sha256(saved: checkpoint.Checkpoint) -> str:
    return str(saved.state["files"][checkpoint.EMA]["sha256"])


def _written(target: Path, weights: bytes, told: Mapping[str, Any], config: Config) -> checkpoint.Checkpoint:
    """A checkpoint of the steps that are told, 0 where none are.

    CarryError where the disk does not take it: what a training would be told then is no help here."""
    seen = {key: int(told.get(key, 0)) for key in ("step", "images_seen")}
    state = {**seen, "milestone": True, "config": config.to_dict()}
    try:
        return checkpoint.write(target, {checkpoint.EMA: weights}, state)
    except checkpoint.CheckpointError as error:
        if not isinstance(cause := error.__cause__, OSError):
            raise
        raise CarryError(
            f"the weights, {len(weights) / 1e6:.1f} MB, could not be written: {cause.strerror or cause}"
        ) from None


def _with_data(values: Mapping[str, dict[str, Any]], settings: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The values with a data set: the one that a setting names, else the usual one of such images."""
    size, channels = values["data"]["image_size"], values["data"]["channels"]
    dataset = _named(settings, "data.dataset") or _USUAL.get((size, channels))
    if dataset is None:
        raise CarryError(
            f"data.dataset: it cannot be told from images of {channels}×{size}×{size}; name it, as in "
            "--dataset folder --set data.root=DIR"
        )
    data = {"dataset": dataset, "root": _named(settings, "data.root"), "image_size": size}
    if NATIVE_SHAPES.get(dataset) == (size, channels):
        return {**values, "data": {"dataset": dataset}}
    return {**values, "data": data | {"channels": channels}}


def _named(settings: Sequence[str], key: str) -> str | None:
    found = [text for name, _, text in (s.partition("=") for s in settings) if name.strip() == key]
    return found[-1].strip() or None if found else None


def _configured(values: Mapping[str, Any], settings: Sequence[str]) -> Config:
    """The configuration with the settings applied. ConfigError where one would make it another network."""
    before = configfiles.build(values)
    after = configfiles.override(before, settings)
    old, new = configfiles.flatten(before), configfiles.flatten(after)
    fixed = [key for key in old if key.split(".")[0] in ("model", "diffusion", "data") and key not in _FREE]
    shapes = ("data.image_size", "data.channels")
    problems = [
        f"{key}: the weights are of {configfiles.format_value(old[key]) or 'none'}; it cannot be another"
        for key in fixed
        if old[key] != new[key] and key not in shapes
    ]
    if before.data.shape != after.data.shape:
        mine, theirs = ("×".join(map(str, c.data.shape)) for c in (after, before))
        problems.append(f"data.image_size: images would be {mine}; the weights are of {theirs}")
    if (before.diffusion.variance == "learned_range") != (after.diffusion.variance == "learned_range"):
        problems.append("diffusion.variance: whether it is learned is in the weights; it cannot be another")
    problems += list(_of_the_weights(before, after))
    if problems:
        raise configfiles.ConfigError(problems)
    return after


def _of_the_weights(before: Config, after: Config) -> Iterator[str]:
    """What settings would say of the weights that is not so."""
    kinds = [c.objective if c.objective == "consistency" or not c.diffuses else "" for c in (before, after)]
    if kinds[0] != kinds[1]:
        said = kinds[0] or "a diffusion model"
        yield f"training.objective: the weights are of {said}; it cannot be {after.training.objective}"
    if not after.sampling.ema or after.sampling.average is not None:
        yield "sampling.ema: the weights are one average, and the only ones there are; it must be true"
    if after.sampling.guidance_step not in (None, before.sampling.guidance_step):
        yield "sampling.guidance_step: the weights are of no other step"
    for key in ("ema_decays", "ema_lengths", "ema_snapshots"):
        if getattr(after.training, key):
            yield f"training.{key}: the weights are the only ones there are; there is no other average"


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= 100 else None
