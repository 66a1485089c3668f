"""Networks to carry, and folders that they are in."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ddpm import checkpoint, configfiles, unet, weights
from ddpm.carrying import exporting, importing
from ddpm.config import Config
from ddpm.unet import UNet

TINY = ("model.channels=8", "model.multipliers=1,2", "model.blocks=1", "training.steps=40")


def tiny(*settings: str) -> Config:
    """`digits` with the smallest network that has attention."""
    return configfiles.override(configfiles.resolve("digits")[0], [*TINY, *settings])


def randomised(config: Config) -> UNet:
    """Zero-initialised last layers would hide what comes before them. What comes out is about as large as
    noise is, so that an absolute difference means something."""
    torch.manual_seed(0)
    network = unet.make(config).eval()
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(
                parameter, std=parameter[0].numel() ** -0.5 if parameter.dim() > 1 else 0.05
            )
    return network


def exported(config: Config, folder: Path, to: str = "diffusers", **options: Any) -> tuple[UNet, Path]:
    """A network, and the folder that its weights were carried into."""
    network = randomised(config)
    state = {"step": 40, "images_seen": 1280}
    saved = checkpoint.write(folder, {checkpoint.EMA: weights.to_bytes(network)}, state)
    out = folder / "out"
    exporting.export(saved.path, config, out, to=to, told={"name": "was", "preset": "digits"}, **options)
    return network, out


def imported(folder: Path, target: Path, *settings: str) -> tuple[dict[str, Any], Config, UNet]:
    """(what is told, configuration, network) of a folder that was made into a run."""
    target.mkdir()
    told = importing.make(folder, target, settings)
    config = configfiles.load(target / "config.toml")
    network = unet.make(config).eval()
    (saved,) = checkpoint.whole(target)
    weights.load(network, saved, checkpoint.EMA)
    return told, config, network


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a JSON file as somebody else might have written it."""
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found))
