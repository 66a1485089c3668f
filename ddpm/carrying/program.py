"""A network as a program that torch runs without this package: weights and computation in one file.

    network.pt2   network.json

    program = torch.export.load("network.pt2").module()
    program(x, timesteps)       x float32 (N, C, H, W), timesteps int64 (N,), any N

`network.json` says what goes in and what comes out, with the betas that the network was trained on.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import nn

from ddpm import schedules
from ddpm.config import Config

PROGRAM, FACTS = "network.pt2", "network.json"
#: Images at once, at most: as many as `sampling.batch_size` may be.
_MOST = 65_536


def write(folder: Path, config: Config, network: nn.Module) -> None:
    """Fills a folder with a float32 network in eval mode on the CPU; one that is told of classes is that of
    no class."""
    channels, size, _ = config.data.shape
    network = network.to(memory_format=torch.contiguous_format)
    batch = torch.export.Dim("batch", min=1, max=_MOST)
    inputs = (torch.zeros(2, channels, size, size), torch.zeros(2, dtype=torch.int64))
    with torch.no_grad():
        exported = torch.export.export(network, inputs, dynamic_shapes=({0: batch}, {0: batch}))
    torch.export.save(exported, folder / PROGRAM)
    facts = {
        "input": ["batch", channels, size, size],
        "prediction": config.diffusion.prediction,
        "variance": config.diffusion.variance,
        "objective": config.objective,
        "timesteps": config.diffusion.timesteps,
        "betas": schedules.make(config.diffusion).betas.tolist(),
    }
    (folder / FACTS).write_text(json.dumps(facts) + "\n", encoding="utf-8")
