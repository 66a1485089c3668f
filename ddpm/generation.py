"""A sampling run: numbered images from a checkpoint, with frames of how they came about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ddpm import compiled_drawing, devices, portions, subject
from ddpm.config import Config
from ddpm.events import Denoising, Ended, Event, Notice, SamplesWritten
from ddpm.grids import settings, shown, write_grid
from ddpm.images import grid, save_png, to_uint8
from ddpm.samplers.steps import SampleStep
from ddpm.sampling import batches, check_finite
from ddpm.subject import Subject

#: Frames drawn of the first batch; more would say no more.
FRAME_LIMIT = 32


class Generation:
    """Draws `config.sampling.count` images into `directory`; iterate over it once.

    images/000000.png … are the images, samples/grid.png the first of them together, frames/ x_t and the
    predicted x_0 of the first batch at up to FRAME_LIMIT steps. Goes on after images that are there.
    `origin` is what the images say of the checkpoint, by default the end of its path.
    """

    def __init__(
        self,
        config: Config,
        checkpoint: Path,
        directory: Path,
        *,
        device: str = "auto",
        origin: str | None = None,
    ) -> None:
        self._config, self._checkpoint, self._directory = config, checkpoint, directory
        self._origin = subject.origin(checkpoint) if origin is None else origin
        self._device = devices.resolve(device)
        self._stop_asked = False

    def stop(self) -> None:
        """Asks to end after the present step; safe from a signal handler or a thread."""
        self._stop_asked = True

    def __iter__(self) -> Iterator[Event]:
        advice = f"try a sampling.batch_size below {self._config.sampling.batch_size}"
        with devices.memory_told(self._device, advice):
            yield from self._run()

    def _run(self) -> Iterator[Event]:
        sampling = self._config.sampling
        source = subject.from_checkpoint(self._checkpoint, self._config, self._device)
        yield source.started(self._config, sampling.count)
        (self._directory / "images").mkdir(parents=True, exist_ok=True)
        parts = batches(sampling, sampling.count)
        done = next((part.start for part in parts if not self._there(part)), sampling.count)
        source = yield from compiled_drawing.compiled(source, self._config, sampling.count, done)
        told = None
        for number, images in enumerate(parts):
            if self._there(images):
                continue
            for step in source.draw(self._config, images):
                if self._stop_asked:
                    yield Ended("stopped", source.step, source.images_seen)
                    return
                if step.index == step.total:
                    check_finite(step.x_t, self._config)
                    self._write_images(step.x_t, images)
                yield self._denoising(step, number, len(parts), images)
                if told != (told := portions.most(source.network)):
                    yield Notice(
                        f"memory ran out: the network is asked about {told} images at once from here on"
                    )
        yield self._grid(source)
        yield Ended("finished", source.step, source.images_seen)

    def _denoising(self, step: SampleStep, batch: int, batch_count: int, images: range) -> Denoising:
        """The event of one step, with its frames drawn if this step has any."""
        x_t = x_0 = None
        every = -(-step.total // FRAME_LIMIT)
        if batch == 0 and (step.index % every == 0 or step.index in (1, step.total)):
            x_t = self._frame(step.index, "xt", step.x_t)
            x_0 = self._frame(step.index, "x0", step.x_0)
        return Denoising(
            index=batch * step.total + step.index,
            total=batch_count * step.total,
            timestep=step.timestep,
            done=images.stop if step.index == step.total else images.start,
            count=self._config.sampling.count,
            x_t=x_t,
            x_0=x_0,
        )

    def _frame(self, index: int, kind: str, x: Tensor) -> str:
        relative = f"frames/{index:04d}-{kind}.png"
        path = self._directory / relative
        path.parent.mkdir(exist_ok=True)
        save_png(path, grid(to_uint8(x[: shown(self._config, len(x))].cpu())))
        return relative

    def _there(self, images: range) -> bool:
        return all(self._image(i).exists() for i in images)

    def _image(self, number: int) -> Path:
        return self._directory / "images" / f"{number:06d}.png"

    def _write_images(self, x: Tensor, images: range) -> None:
        for number, image in zip(images, to_uint8(x.cpu()), strict=True):
            text = settings(self._config, checkpoint=self._origin, image=number)
            save_png(self._image(number), image.permute(1, 2, 0).numpy(), text)

    def _grid(self, source: Subject) -> SamplesWritten:
        """The first images as one grid, from their files: some may be of an earlier, stopped attempt."""
        count = shown(self._config, self._config.sampling.count)
        pixels = [np.asarray(Image.open(self._image(i))) for i in range(count)]
        channels, height, width = self._config.data.shape
        stack = torch.from_numpy(np.stack(pixels)).reshape(count, height, width, channels)
        path = self._directory / "samples" / "grid.png"
        write_grid(path, stack.permute(0, 3, 1, 2), self._config, checkpoint=self._origin)
        return source.drew(self._config, "samples/grid.png", count)
