"""What a server does for its requests: jobs for the network, images back. Knows nothing of HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ddpm import checkpoint as saved
from ddpm import devices, grids, guides, images, subject
from ddpm.config import Config
from ddpm.randomness import normal
from ddpm.restoration import panels, pictures, restoring, tiles
from ddpm.restoration.cases import Case, Preparation
from ddpm.restoration.inputs import Source
from ddpm.samplers.steps import SampleStep
from ddpm.sampling import draw_with, labels_of
from ddpm.serving import requests
from ddpm.serving.batching import Batching, Job
from ddpm.serving.limits import Limits, Refusal, TooMuch
from ddpm.serving.requests import Generation
from ddpm.serving.turns import Shared, Turns

#: Kinds of image files that are read: none whose decoder starts another program.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
#: Preparations that are kept, each with its degradations.
_KEPT = 4


@dataclass(frozen=True, slots=True)
class Restoring:
    """A restoration that was asked for: its case and its job."""

    config: Config
    case: Case
    job: Job


class Service:
    """A checkpoint's network at work for many requests. `close` ends its threads."""

    def __init__(
        self,
        checkpoint: Path,
        config: Config,
        *,
        device: str = "auto",
        batch_size: int | None = None,
        window: float = 0.005,
        limits: Limits | None = None,
        origin: str | None = None,
    ) -> None:
        """batch_size: images of the network's size computed at once (None: 16 on a CPU, else 64); window:
        seconds that a request waits for others like it. Raises EngineError where the checkpoint is none."""
        chosen = devices.resolve(device)
        size = batch_size or (16 if chosen.type == "cpu" else 64)
        config = guides.fitting(config, saved.open_folder(checkpoint).step)
        tiled = config.restoration.model_copy(update={"batch_size": size})
        self.config = config.model_copy(update={"restoration": tiled})
        self.limits = limits or Limits()
        self.source = subject.from_checkpoint(checkpoint, self.config, chosen)
        self.origin = subject.origin(checkpoint) if origin is None else origin
        turns = Turns()
        self._network = Shared(self.source.network, turns).eval()
        guide = self.source.guide
        self._guide = None if guide is None else Shared(guide, turns).eval()
        self._batching = Batching(turns, chosen, size=size, window=window, queue=self.limits.queue)
        self._preparation = lru_cache(_KEPT)(Preparation)
        self._began = time.monotonic()

    def close(self) -> None:
        """Drops what is not answered."""
        self._batching.close()

    def health(self) -> dict[str, Any]:
        """What `GET /health` answers, but for the run's name."""
        return {
            "step": self.source.step,
            "device": str(self.source.device),
            "shape": list(self.config.data.shape),
            "uptime": round(time.monotonic() - self._began, 1),
            "queue": len(self._batching),
            "generates": self.config.diffuses,
            "tasks": requests.tasks(self.config),
            "limits": {
                "count": self.limits.count,
                "side": self.limits.side,
                "queue": self.limits.queue,
                "evaluations": self.limits.evaluations(self.config),
            },
        }

    # -- generate -----------------------------------------------------------------------------------

    def generate(self, asked: Generation) -> Job:
        """Begins to draw. Raises Refusal where it cannot be."""
        job = Job(asked.key, asked.config.sampling.count, 1, asked.evaluations, self._draw, asked)
        self._batching.submit(job)
        return job

    def _draw(self, batch: list[tuple[Job, int]]) -> Iterator[SampleStep]:
        """As `ddpm.sampling.draw`, of images of any seeds."""
        wanted: dict[int, list[tuple[int, int]]] = {}  # by seed: (place, number)
        for place, (job, row) in enumerate(batch):
            asked: Generation = job.request
            wanted.setdefault(asked.config.sampling.seed, []).append((place, asked.first + row))
        device, shape = self.source.device, self.config.data.shape
        places = torch.tensor([place for part in wanted.values() for place, _ in part], device=device)
        numbers = {
            seed: torch.tensor([number for _, number in part], device=device) for seed, part in wanted.items()
        }

        def noise(number: int) -> Tensor:
            parts = torch.cat([normal(seed, own, number, shape) for seed, own in numbers.items()])
            return torch.empty_like(parts).index_copy_(0, places, parts)

        config: Config = batch[0][0].request.config
        own = torch.tensor([job.request.first + row for job, row in batch], device=device)
        labels = labels_of(config, own)
        return draw_with(
            noise, self._network, config, labels=labels, guide=self._guide, precision=self.source.precision
        )

    def generated(self, asked: Generation, x: Tensor) -> list[bytes]:
        """PNG files of what was drawn, the same as `sample` writes."""
        pixels = images.to_uint8(x).permute(0, 2, 3, 1).numpy()
        return [
            images.png(image, grids.settings(asked.config, checkpoint=self.origin, image=asked.first + i))
            for i, image in enumerate(pixels)
        ]

    # -- restore ------------------------------------------------------------------------------------

    def restore(self, config: Config, image: bytes, mask: bytes | None = None) -> Restoring:
        """Begins to restore an image file's content; `mask`, another's, is white where pixels are hidden.

        Takes a while: reads the image. Raises EngineError where it cannot be.
        """
        asked = config.restoration
        picture = self._picture(image, "the image")
        scale = asked.scale if asked.task == "super-resolution" and not asked.degrade else 1
        height, width = (side * scale for side in picture.pixels.shape[1:])
        if max(height, width) > self.limits.side:
            raise TooMuch(f"the result has {width}×{height} pixels; at most {self.limits.side} a side")
        self._check_work(config, height, width)
        preparation = self._prepare(config, mask)
        case = preparation.case(Source(0, "the image", "", None), picture)
        key = ("restore", asked.model_dump_json(), case.degradation, case.sigma)
        _, height, width = case.degradation.shape
        own = self.config.data.shape[1]
        evaluations, part = restoring.evaluations(config), tiles.count(height, width, own)
        job = Job(key, asked.samples, part, evaluations, self._restore, (case, config))
        self._batching.submit(job)
        return Restoring(config, case, job)

    def _picture(self, content: bytes, name: str) -> pictures.Picture:
        try:
            return pictures.decode(content, name, max_side=self.limits.side, formats=FORMATS)
        except pictures.TooLargeError as error:
            raise TooMuch(str(error)) from None

    def _check_work(self, config: Config, height: int, width: int) -> None:
        own = self.config.data.shape[1]
        count = tiles.count(max(own, height), max(own, width), own)
        work = config.restoration.samples * restoring.evaluations(config) * count
        if work > (most := self.limits.evaluations(config)):
            raise TooMuch(
                f"that takes {work:,} evaluations of {own}×{own} pixels, and a request may take {most:,}: "
                "ask for fewer steps or samples, or send a smaller image"
            )

    def _prepare(self, config: Config, mask: bytes | None) -> Preparation:
        if mask is None:
            return self._preparation(config)
        if config.restoration.task != "inpaint":
            raise Refusal("mask: it is for task=inpaint")
        return Preparation(config, pictures.visible(self._picture(mask, "the mask"), "the mask"))

    def _restore(self, batch: list[tuple[Job, int]]) -> Iterator[SampleStep]:
        cases: list[Case] = [job.request[0] for job, _ in batch]
        config: Config = batch[0][0].request[1]
        device = self.source.device
        return restoring.restore(
            self._network,
            config,
            cases[0].degradation,
            torch.stack([case.measurement for case in cases]).to(device),
            cases[0].sigma,
            torch.tensor([row for _, row in batch], device=device),
            precision=self.source.precision,
        )

    def restored(self, asked: Restoring, x: Tensor) -> tuple[bytes, dict[str, float | None]]:
        """A PNG file of the mean of the restorations, and what is known of it."""
        case, config = asked.case, asked.config
        image = x.mean(0)[:, : case.size[0], : case.size[1]]
        told = {"sigma": case.sigma / 2, **case.measured(config, image)}
        text = panels.settings(config, checkpoint=self.origin)
        colour = config.restoration.task == "colorize"
        return pictures.encode((image + 1) / 2, case.picture, text, colour=colour), told
