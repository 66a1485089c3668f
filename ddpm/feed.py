"""What a training step learns from: images, noise and timesteps, by the number of images seen."""

from __future__ import annotations

import torch
from torch import Tensor

from ddpm.config import Config
from ddpm.randomness import DataOrder, derive


class Feed:
    """Hands out batches that are a pure function of (training.seed, images seen).

    images: uint8 (N,C,H,W), which are kept on the device; timesteps: length T of the forward process.
    """

    def __init__(self, images: Tensor, config: Config, timesteps: int, device: torch.device) -> None:
        self._training, self._flip = config.training, config.data.flip
        self._timesteps, self._device = timesteps, device
        self._images = images.to(device)
        self._order = DataOrder(len(images), config.training.seed)
        self._generator = torch.Generator(device)

    def __len__(self) -> int:
        """Images of the data set."""
        return len(self._images)

    def batch(self, images_seen: int) -> tuple[Tensor, Tensor, Tensor]:
        """x_0 float32 (B,C,H,W) in [-1, 1], timesteps int64 (B,) in 0 … T-1, noise like x_0; on the device.

        All of them at once, so that they do not depend on the parts they are computed in.
        """
        training, device, generator = self._training, self._device, self._generator
        generator.manual_seed(derive(training.seed, "step", images_seen))
        indices = self._order.batch(images_seen, training.batch_size)
        if device.type == "cuda":
            indices = indices.pin_memory()  # so that the copy waits for nothing
        x_0 = self._images[indices.to(device, non_blocking=True)].float().div_(127.5).sub_(1)
        count = len(x_0)
        if self._flip:
            mirrored = torch.rand(count, generator=generator, device=device) < 0.5
            x_0 = torch.where(mirrored[:, None, None, None], x_0.flip(3), x_0)
        times = torch.randint(self._timesteps, (count,), generator=generator, device=device)
        noise = torch.randn(x_0.shape, generator=generator, device=device)
        return x_0.contiguous(memory_format=torch.channels_last), times, noise
