"""The images of an evaluation: drawn batch by batch, rounded to pixels, turned into features."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping

import torch
from torch import Tensor

from ddpm import compiled_drawing, grids
from ddpm.config import Config
from ddpm.evaluation.drawnfeatures import DrawnFeatures
from ddpm.evaluation.features import Features, batch_size
from ddpm.evaluation.pace import Pace
from ddpm.events import Evaluating, Event
from ddpm.images import to_uint8
from ddpm.sampling import batches, check_finite
from ddpm.subject import Subject

#: Takes the first images, uint8 (up to GRID_LIMIT,C,H,W), and tells of what it did with them.
First = Callable[[Tensor], Event]


class Drawing:
    """The images 0 … `evaluation.samples`-1 of the sampling seed, as features from every network.

    `check` is called between steps and between parts of a batch, and raises where a stop was asked for.
    """

    def __init__(
        self, subject: Subject, config: Config, networks: Mapping[str, Features], check: Callable[[], None]
    ) -> None:
        self._subject, self._config, self._networks, self._check = subject, config, networks, check
        self._part = batch_size(subject.device)
        self._total = config.evaluation.samples
        self.sampling_seconds = 0.0
        self.feature_seconds = 0.0

    def run(self, drawn: DrawnFeatures, first: First | None) -> Iterator[Event]:
        """Fills `drawn`, from where it stands to its end."""
        work = compiled_drawing.compiled(self._subject, self._config, self._total, drawn.done)
        self._subject = yield from work
        shown = grids.shown(self._config, self._total)
        pace = Pace(self._subject, "samples")
        yield from pace.told(drawn.done, self._total)
        for images in batches(self._config.sampling, self._total):
            if images.start < drawn.done:
                continue
            pixels = yield from self._pixels(images, pace)
            features = yield from self._features(pixels, images.start, pace)
            if first is not None and images.start < shown:
                drawn.show(pixels)
                if images.stop >= shown:
                    yield first(drawn.shown()[:shown])
            drawn.append(features)
            yield from pace.told(images.stop, self._total)
        drawn.sync()

    def _pixels(self, images: range, pace: Pace) -> Generator[Evaluating, None, Tensor]:
        """uint8 (len(images),C,H,W) on the CPU."""
        began = time.monotonic()
        source = self._subject
        for step in source.draw(self._config, images):
            self._check()
            yield from pace.told(images.start, self._total)
            x = step.x_t
        check_finite(x, self._config)
        pixels = to_uint8(x.cpu())
        self.sampling_seconds += time.monotonic() - began
        return pixels

    def _features(
        self, pixels: Tensor, start: int, pace: Pace
    ) -> Generator[Evaluating, None, dict[str, Tensor]]:
        began = time.monotonic()
        found: dict[str, list[Tensor]] = {name: [] for name in self._networks}
        done = start
        for part in pixels.split(self._part):
            self._check()
            for name, network in self._networks.items():
                found[name].append(network(part))
            done += len(part)
            if done < self._total:  # the end is told once its features are kept
                yield from pace.told(done, self._total)
        self.feature_seconds += time.monotonic() - began
        return {name: torch.cat(parts) for name, parts in found.items()}
