"""What a network is trained for (`training.objective`): what is drawn for a step, and its loss."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from ddpm import schedules
from ddpm.config import Config
from ddpm.diffusion import Marginals, simple_loss
from ddpm.feed import Batch
from ddpm.restoration.denoising import Denoising


class Objective(Protocol):
    """A step is drawn at once and its loss computed in parts: each tensor drawn has B first."""

    def draw(self, batch: Batch) -> tuple[Tensor, ...]:
        """All that the loss needs of a batch besides the network, on the batch's device."""

    def loss(self, network: nn.Module, *drawn: Tensor) -> Tensor:
        """Of what `draw` gave, or a part of it: a float32 scalar."""


class Simple:
    """A diffusion model: what an image was mixed with, or the image, is predicted (`simple_loss`)."""

    def __init__(self, config: Config, device: torch.device) -> None:
        self._timesteps = config.diffusion.timesteps
        self._prediction = config.diffusion.prediction
        self._marginals = Marginals.of(schedules.make(config.diffusion), device)

    def draw(self, batch: Batch) -> tuple[Tensor, ...]:
        """Images as they are seen, timesteps int64 (B,) in 0 … T-1, noise like the images."""
        x_0, generator = batch.as_seen(batch.images), batch.generator
        times = torch.randint(self._timesteps, (len(x_0),), generator=generator, device=x_0.device)
        return x_0, times, torch.randn(x_0.shape, generator=generator, device=x_0.device)

    def loss(self, network: nn.Module, *drawn: Tensor) -> Tensor:
        x_0, times, noise = drawn
        return simple_loss(network, self._marginals, x_0, times, noise, self._prediction)


def make(config: Config, device: torch.device) -> Objective:
    """The objective that a configuration names."""
    return Simple(config, device) if config.training.objective == "simple" else Denoising(config)
