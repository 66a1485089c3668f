"""The folder that `diffusers.DDPMPipeline.from_pretrained` loads, written and read.

    model_index.json   scheduler/scheduler_config.json
    unet/config.json   unet/diffusion_pytorch_model.safetensors

Older ones, as the released google/ddpm-cifar10-32, have all files side by side, config.json that of the
network, and weights as torch saves them (`.bin`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from ddpm.carrying import network, reading, schedule
from ddpm.carrying.reading import CarryError, told
from ddpm.config import Config
from ddpm.datafiles import shown

INDEX, NETWORK, SCHEDULER = "model_index.json", "config.json", "scheduler_config.json"
WEIGHTS = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")
_PIPELINES = ("DDPMPipeline", "DDIMPipeline", "PNDMPipeline")
#: Of our network alone: what it is told of moved images (`network.notes`).
_LEFT_BEHIND = "augmentation.weight"


def write(folder: Path, config: Config, tensors: Mapping[str, Tensor], dtype: torch.dtype) -> None:
    """Fills a folder. CarryError, with every reason, where the network has no like there."""
    if refused := network.reasons(config):
        raise CarryError("; ".join(refused))
    (folder / "unet").mkdir()
    (folder / "scheduler").mkdir()
    index = {
        "_class_name": "DDPMPipeline",
        "_diffusers_version": network.WRITTEN_FOR,
        "scheduler": ["diffusers", "DDPMScheduler"],
        "unet": ["diffusers", "UNet2DModel"],
    }
    _write(folder / INDEX, index)
    _write(folder / "unet" / NETWORK, network.to_unet(config))
    _write(folder / "scheduler" / SCHEDULER, schedule.to_scheduler(config))
    kept = {n: t.to(dtype).contiguous() for n, t in tensors.items() if n != _LEFT_BEHIND}
    # They look for this one word, and for no other, before they read a file.
    content = safetensors.torch.save(kept, {"format": "pt"})
    (folder / "unet" / WEIGHTS[0]).write_bytes(content)


def is_one(folder: Path) -> bool:
    """Whether a folder is meant to be one, whatever is wrong with it."""
    return any(reading.size(folder / name) is not None for name in (INDEX, NETWORK, f"unet/{NETWORK}"))


def read(folder: Path) -> tuple[dict[str, dict[str, Any]], Path, list[str]]:
    """(values of a configuration, file of weights, what is to be said of it). CarryError for all that has
    no like here.

    What a configuration cannot be told from such a folder (data set, training) is not in it.
    """
    if reading.size(folder / INDEX) is not None:
        _check_index(folder / INDEX)
    unet_file = reading.first(folder, f"unet/{NETWORK}", NETWORK)
    scheduler_file = reading.first(folder, f"scheduler/{SCHEDULER}", SCHEDULER)
    found = network.from_unet(reading.json_object(unet_file), shown(unet_file))
    said, named = reading.json_object(scheduler_file), shown(scheduler_file)
    diffusion, sampling = schedule.from_scheduler(said, named)
    if found.learned != (diffusion["variance"] == "learned_range"):
        raise CarryError(
            f"{shown(unet_file)}: out_channels says that a variance is {'' if found.learned else 'not '}"
            f"learned, variance_type in {SCHEDULER} is {diffusion['variance']}"
        )
    data = {"image_size": found.size, "channels": found.channels}
    values = {"data": data, "model": found.model, "diffusion": diffusion, "sampling": sampling}
    return values, _weights(unet_file.parent), schedule.notes(said, diffusion, SCHEDULER)


def _weights(folder: Path) -> Path:
    """The file of weights. CarryError that tells what else there is: parts of them, a variant."""
    stem = WEIGHTS[0].partition(".")[0]
    others = sorted(path.name for path in folder.glob(f"{stem}*") if path.name not in WEIGHTS)
    if others and not any(reading.size(folder / name) is not None for name in WEIGHTS):
        raise CarryError(
            f"{shown(folder)}: there is {told(others[0])} and no {WEIGHTS[0]}; weights in parts and variants "
            "are not read: save the pipeline without `variant`, in one file (max_shard_size)"
        )
    return reading.first(folder, *WEIGHTS)


def _check_index(path: Path) -> None:
    index = reading.json_object(path)
    kind, unet = index.get("_class_name"), index.get("unet")
    if kind not in _PIPELINES:
        raise CarryError(f"{shown(path)}: of a {told(kind)}; {', '.join(_PIPELINES)} can be carried")
    if unet != ["diffusers", "UNet2DModel"]:
        raise CarryError(f"{shown(path)}: its unet is no UNet2DModel of diffusers")


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")
