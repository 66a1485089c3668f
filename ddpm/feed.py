"""What a training step learns from: images, by the number of images seen."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ddpm.augmentation import Warp, drawn
from ddpm.config import Config
from ddpm.randomness import DataOrder, derive


@dataclass(frozen=True, slots=True)
class Batch:
    """Images of one step, on the device, and where chance comes from in it."""

    images: Tensor  #: float32 (B,C,H,W) in [-1, 1], as they are in the data set
    numbers: Tensor  #: int64 (B,), which images of the data set they are
    mirrored: Tensor | None  #: bool (B,), those that are to be seen mirrored; None: none
    generator: torch.Generator  #: of this step alone
    images_seen: int = 0  #: in the steps before
    shifts: Tensor | None = None  #: int64 (B,2), pixels down and right that they are to be moved; None: none
    labels: Tensor | None = None  #: int64 (B,), classes, their number where one is hidden; None: not told
    warp: Warp | None = None  #: what else is done to them, of which the network is told; None: nothing

    @property
    def told(self) -> dict[str, Tensor]:
        """What the network is told of each image beside the time, by its own names for it (see `tells`)."""
        moves = None if self.warp is None else self.warp.told
        found = {"labels": self.labels, "moves": moves}
        return {name: tensor for name, tensor in found.items() if tensor is not None}

    def as_seen(self, x: Tensor) -> Tensor:
        """Float (B,C,H,W), the images or something made of them: mirrored and shifted as they are to be.

        What comes in at a rim is black (-1), as for a random crop of images with a black frame.
        """
        if self.mirrored is not None:
            x = torch.where(self.mirrored[:, None, None, None], x.flip(3), x)
        if self.shifts is not None:
            x = _shifted(x, self.shifts)
        if self.warp is not None:
            x = self.warp.apply(x)
        return x.contiguous(memory_format=torch.channels_last)


def tells(config: Config) -> list[str]:
    """The keys of `Batch.told`, in their order."""
    wanted = {"labels": config.model.classes, "moves": config.data.augment}
    return [name for name, asked in wanted.items() if asked]


class Feed:
    """Hands out batches that are a pure function of (training.seed, images seen).

    images: uint8 (N,C,H,W), which are kept on the device; labels: int64 (N,), for a network that is told of
    classes.
    """

    def __init__(
        self, images: Tensor, config: Config, device: torch.device, labels: Tensor | None = None
    ) -> None:
        self._training, self._data = config.training, config.data
        self._device = device
        self._images = images.to(device)
        self._classes = config.model.classes
        self._labels = labels.to(device) if labels is not None and self._classes else None
        self._order = DataOrder(len(images), config.training.seed)
        self._generator = torch.Generator(device)

    def __len__(self) -> int:
        """Images of the data set."""
        return len(self._images)

    def batch(self, images_seen: int) -> Batch:
        """All of a step at once, so that it does not depend on the parts it is computed in."""
        training, device, generator = self._training, self._device, self._generator
        generator.manual_seed(derive(training.seed, "step", images_seen))
        numbers = self._order.batch(images_seen, training.batch_size)
        if device.type == "cuda":
            numbers = numbers.pin_memory()  # so that the copy waits for nothing
        numbers = numbers.to(device, non_blocking=True)
        mirrored = None
        if self._data.flip:
            mirrored = torch.rand(len(numbers), generator=generator, device=device) < 0.5
        shifts = None
        if crop := self._data.crop:
            shape = (len(numbers), 2)
            shifts = torch.randint(-crop, crop + 1, shape, generator=generator, device=device)
        labels = None if self._labels is None else self._told(self._labels[numbers])
        augment = self._data.augment
        warp = drawn(len(numbers), augment, generator) if augment else None
        images = values(self._images[numbers])
        return Batch(images, numbers, mirrored, generator, images_seen, shifts, labels, warp)

    def _told(self, labels: Tensor) -> Tensor:
        """Some of them hidden (Ho & Salimans 2022, algorithm 1)."""
        hidden = torch.rand(len(labels), generator=self._generator, device=self._device)
        return torch.where(hidden < self._training.label_dropout, self._classes, labels)

    def first(self, count: int) -> tuple[Tensor, Tensor]:
        """The first images of the data set, or as many as there are, and their numbers, as in a Batch."""
        images = self._images[:count]
        return values(images), torch.arange(len(images), device=self._device)


def values(images: Tensor) -> Tensor:
    """uint8 images as a network sees them: float32 in [-1, 1]."""
    return images.float().div_(127.5).sub_(1)


def _shifted(x: Tensor, shifts: Tensor) -> Tensor:
    """x (B,C,H,W), each image moved by its own pixels down and right, black where nothing comes from."""
    height, width = x.shape[2:]
    rows = torch.arange(height, device=x.device) - shifts[:, :1]  # where each row comes from, (B,H)
    columns = torch.arange(width, device=x.device) - shifts[:, 1:]
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None]
    images = torch.arange(len(x), device=x.device)[:, None, None]
    rows, columns = rows.clamp(0, height - 1)[:, :, None], columns.clamp(0, width - 1)[:, None]
    moved = x.permute(0, 2, 3, 1)[images, rows, columns].permute(0, 3, 1, 2)
    return torch.where(inside[:, None], moved, -1.0)
