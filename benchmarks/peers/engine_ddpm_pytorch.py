"""denoising-diffusion-pytorch, trained by its own Trainer and drawing by its own DDIM.

Its network is another one: its width is the one that brings its parameters nearest to ours.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import torch
from denoising_diffusion_pytorch import GaussianDiffusion, Trainer, Unet
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.peers.sizing import nearest


class Engine:
    def __init__(self, specification: dict[str, Any], options: list[str]) -> None:
        if options:
            raise ValueError(f"ddpm-pytorch has no option {options[0]}")
        self._spec = specification
        torch.manual_seed(0)
        self._width = specification["dim"]
        unet = network(specification, self._width)
        diffusion = GaussianDiffusion(
            unet, image_size=specification["image_size"], timesteps=specification["timesteps"],
            sampling_timesteps=specification["steps"], objective="pred_noise", beta_schedule="linear",
        )  # fmt: skip
        self._results = tempfile.TemporaryDirectory(prefix="ddpm-bench-")
        self._trainer = Trainer(
            diffusion, specification["folder"], train_batch_size=specification["batch"],
            train_lr=specification["learning_rate"], train_num_steps=0, augment_horizontal_flip=False,
            save_and_sample_every=10**9, calculate_fid=False, results_folder=self._results.name,
        )  # fmt: skip

    def step(self) -> int:
        self._trainer.train_num_steps = self._trainer.step + 1
        self._trainer.train()
        return self._spec["batch"]

    def draw(self) -> int:
        diffusion = self._trainer.model
        diffusion.eval()
        return len(diffusion.sample(batch_size=self._spec["draw"]))

    def facts(self) -> dict[str, Any]:
        names = ("torch", "denoising-diffusion-pytorch", "accelerate", "ema-pytorch")
        with FlopCounterMode(display=False) as counter:
            shape = 2, self._spec["image_channels"], self._spec["image_size"], self._spec["image_size"]
            network(self._spec, self._width)(torch.randn(shape), torch.zeros(2).long()).sum().backward()
        return {
            "versions": {name: importlib.metadata.version(name) for name in names},
            "parameters": parameters(self._spec, self._width),
            "gflop_per_image": counter.get_total_flops() / 2e9,
            "dim": self._width,
            "threads": torch.get_num_threads(),
        }


def network(specification: dict[str, Any], width: int) -> Unet:
    multipliers = tuple(specification["multipliers"])
    return Unet(dim=width, dim_mults=multipliers, channels=specification["image_channels"])


def parameters(specification: dict[str, Any], width: int) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in network(specification, width).parameters())


if __name__ == "__main__":  # prints the width for a specification: found once, so that no start-up counts it
    wanted = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    print(nearest(partial(parameters, wanted), wanted["parameters"], range(8, 257, 2)))
