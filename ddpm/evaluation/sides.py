"""From images, or features of somebody's, to what scores are computed from; memory does not grow with N."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ddpm.datafiles import shown
from ddpm.errors import EngineError
from ddpm.evaluation.features import Features
from ddpm.evaluation.moments import Moments, Statistics, statistics_of
from ddpm.evaluation.pixels import PixelHash
from ddpm.evaluation.progress import Progress, Steps
from ddpm.evaluation.rows import double, fault
from ddpm.evaluation.scores import chosen
from ddpm.evaluation.sources import FeatureRows, Images, Known

_ROWS = 1024  # of features that are read at once


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """One of two sides of a comparison."""

    statistics: Statistics
    features: np.ndarray | None  #: float32, of at most SUBSET images drawn from everywhere; None: not known
    identity: dict[str, Any]  #: as `Protocol.reference` has it, as far as it is known
    floor: dict[str, Any] | None = None
    notice: str | None = None  #: what a person should know of it


def images(source: Images, features: Features, batch: int) -> Steps[Gathered]:
    """Their features, in order, `batch` at once.

    Raises EngineError for an image that turns out to be damaged, and for features that are not finite.
    """
    pixels = PixelHash()
    shape: list[int] = []

    def rows() -> Iterator[Tensor]:
        for part in source.batches(batch):
            pixels.add(part)
            shape[:] = part.shape[1:]
            yield features(part)

    statistics, sample = yield from _collected(source.name, rows(), source.count, features.dimension)
    identity = {"dataset": None, "split": None, "shape": shape, "images": source.count}
    return Gathered(statistics, sample, {**identity, "data": pixels.hexdigest()})


def rows(source: FeatureRows) -> Steps[Gathered]:
    """Features as they are in their file. Raises EngineError where they are not finite, or too large."""
    digest = hashlib.sha256()

    def parts() -> Iterator[Tensor]:
        for part in source.batches(_ROWS):
            digest.update(np.ascontiguousarray(part).data)
            yield double(part)

    statistics, sample = yield from _collected(source.name, parts(), source.count, source.dimension)
    identity = {"dataset": None, "split": None, "shape": None, "images": source.count}
    return Gathered(statistics, sample, {**identity, "data": digest.hexdigest()})


def known(source: Known) -> Gathered:
    """Statistics from a file, which identify themselves or are identified by its content."""
    identity = source.meta.get("reference")
    if not isinstance(identity, dict):
        with source.path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        count = source.statistics.count or None
        identity = {"dataset": None, "split": None, "shape": None, "images": count, "data": content}
    floor = source.meta.get("floor")
    return Gathered(source.statistics, None, identity, floor if isinstance(floor, dict) else None)


def _collected(
    name: str, parts: Iterator[Tensor], count: int, dimension: int
) -> Steps[tuple[Statistics, np.ndarray]]:
    """(statistics of all rows, the chosen ones of them)."""
    taken = chosen(count)
    sample = np.empty((len(taken), dimension), np.float32)
    moments = Moments(dimension) if len(taken) < count else None
    done = 0
    yield Progress(0, count)
    for part in parts:
        if wrong := fault(part, done):
            raise EngineError(f"{shown(Path(name))}: {wrong}")
        part = part.float()
        inside = (taken >= done) & (taken < done + len(part))
        sample[inside] = part.numpy()[taken[inside] - done]
        if moments is not None:
            moments.add(part)
        done += len(part)
        yield Progress(done, count)
    return moments.statistics() if moments is not None else statistics_of(sample), sample
