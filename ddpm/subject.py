"""What images are drawn from: a network as it was after some step of its training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ddpm import averages, checkpoint, devices, guides, snapshots, unet, weights
from ddpm.config import Config
from ddpm.errors import EngineError
from ddpm.events import SamplesWritten, Started
from ddpm.samplers.steps import SampleStep
from ddpm.sampling import draw


@dataclass(frozen=True, slots=True)
class Subject:
    """A network in eval mode, on the device to work on, and how far its training had come."""

    network: nn.Module
    device: torch.device
    precision: torch.dtype  #: of the network's arithmetic
    step: int
    images_seen: int
    guide: nn.Module | None = None  #: what the same network was at `sampling.guidance_step`, likewise

    def started(self, config: Config, count: int) -> Started:
        """That a run begins which draws `count` images from it."""
        return Started(
            step=self.step,
            images_seen=self.images_seen,
            total_steps=self.step,
            device=str(self.device),
            device_name=devices.title(self.device),
            precision=str(self.precision).removeprefix("torch."),
            parameters=sum(p.numel() for p in self.network.parameters()),
            dataset=config.data.dataset,
            dataset_size=count,
        )

    def draw(self, config: Config, images: range) -> Iterator[SampleStep]:
        """Draws images of that configuration (`ddpm.sampling.draw`)."""
        return draw(self.network, config, images, guide=self.guide, precision=self.precision)

    def drew(self, config: Config, path: str, count: int) -> SamplesWritten:
        """That the grid `path`, relative to the run's directory, shows its first `count` images."""
        if not config.diffuses:
            seed = config.training.seed
            return SamplesWritten(self.step, self.images_seen, path, count, seed, "denoiser", 1)
        sampling = config.sampling
        steps = sampling.resolved_steps(config.diffusion.timesteps)
        return SamplesWritten(
            self.step, self.images_seen, path, count, sampling.seed, sampling.sampler, steps
        )


def from_checkpoint(
    folder: Path, config: Config, device: torch.device, precision: torch.dtype | None = None
) -> Subject:
    """The weights of a checkpoint folder that `sampling.ema` and `sampling.average` ask for, and the same of
    the step that `sampling.guidance_step` names, where there is guidance.

    precision: None for what the configuration says.

    Raises CheckpointError where they cannot be read or are another network's, EngineError where an average
    cannot be made of the snapshots there are.
    """
    network, saved = _load(folder, config, device)
    guide, step = None, config.sampling.guide
    if step is not None:
        try:
            guide, _ = _load(guides.folder_of(folder, step), config, device)
        except EngineError as error:
            raise checkpoint.CheckpointError(f"sampling.guidance_step: {error}") from None
    precision = precision or devices.precision(config.training.precision, device)
    return Subject(network, device, precision, saved.step, saved.images_seen, guide)


def _load(folder: Path, config: Config, device: torch.device) -> tuple[nn.Module, checkpoint.Checkpoint]:
    saved = checkpoint.open_folder(folder)
    network = unet.make(config)
    if averages.reconstructed(config.training, config.sampling):
        snapshots.fill(network, saved, config)
    else:
        (name,) = averages.sources(config.training, config.sampling)
        weights.load(network, saved, name)
    return network.to(device).to(memory_format=torch.channels_last).eval(), saved


def origin(folder: Path) -> str:
    """Run and step of a checkpoint folder, without the machine's path."""
    return "/".join(folder.resolve().parts[-3:])
