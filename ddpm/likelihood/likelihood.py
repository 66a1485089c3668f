"""A run that measures how likely a checkpoint finds images: bits per dimension by the variational bound."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from ddpm import data, datafiles, devices, subject
from ddpm.config import Config
from ddpm.data import ImageSet
from ddpm.errors import EngineError
from ddpm.evaluation.featurefile import FeatureFile
from ddpm.events import BitsPerDim, Ended, Event, Notice
from ddpm.feed import values
from ddpm.likelihood.strata import edges
from ddpm.likelihood.summary import summary
from ddpm.likelihood.terms import Terms
from ddpm.randomness import derive
from ddpm.subject import Subject

#: In a run's directory: the terms of each image, float32 rows of a file for each part.
FOLDER = "likelihood"
_SECONDS = 1.0  # between two events, at least


class Likelihood:
    """Measures images of the data set that a checkpoint learned from; iterate over it once.

    The images of a part are chosen by `likelihood.seed` among all, never the first ones (MNIST's first
    test images are the easier half). A network that knows classes is told each image's own: then the bits
    are those of p(x | class). `directory`/likelihood/ keeps what is done, image by image, so that a run that
    was stopped or killed goes on, to the same numbers.

    Raises EngineError for what a person must know: data missing, memory or disk exhausted.
    """

    def __init__(
        self, config: Config, checkpoint: Path, directory: Path, *, data_root: Path, device: str = "auto"
    ) -> None:
        self._config, self._checkpoint, self._directory = config, checkpoint, directory
        self._data_root, self._device = data_root, devices.resolve(device)
        wanted = config.likelihood.resolved_timesteps(config.diffusion.timesteps)
        self._edges = edges(config.diffusion.timesteps, wanted)
        self._stop_asked = False

    def stop(self) -> None:
        """Asks to end after the present network evaluation; safe from a signal handler or a thread."""
        self._stop_asked = True

    def __iter__(self) -> Iterator[Event]:
        advice = f"try a likelihood.batch_size below {self._config.likelihood.batch_size}"
        with devices.memory_told(self._device, advice):
            yield from self._run()

    def _run(self) -> Iterator[Event]:
        devices.be_deterministic(self._device)
        source = subject.from_checkpoint(self._checkpoint, self._config, self._device, torch.float32)
        sets = self._sets()
        counts = {split: min(count, len(found.images)) for split, (found, count) in sets.items()}
        yield source.started(self._config, sum(counts.values()))
        for split, (found, asked) in sets.items():
            yield from (Notice(text) for text in found.notices)
            if counts[split] < asked:
                yield Notice(f"the {split} part has {counts[split]} images: all of them are measured")
            if not (yield from self._measure(source, split, found, counts[split])):
                yield Ended("stopped", source.step, source.images_seen)
                return
        yield Ended("finished", source.step, source.images_seen)

    def _sets(self) -> dict[str, tuple[ImageSet, int]]:
        """By part: its images, and how many are asked for. EngineError where its classes are others."""
        likelihood, dataset = self._config.likelihood, self._config.data
        asked = {
            "train": likelihood.train,
            "test": likelihood.resolved_test(datafiles.splits(dataset.dataset)),
        }
        sets = {
            split: (data.load(dataset, self._data_root, split), count)
            for split, count in asked.items()
            if count
        }
        classes = self._config.model.classes
        for found, _ in sets.values():
            if classes and (found.labels is None or int(found.labels.max()) >= classes):
                raise EngineError(f"model.classes: the network knows {classes}, and the data has others")
        return sets

    def _measure(
        self, source: Subject, split: str, found: ImageSet, count: int
    ) -> Generator[Event, None, bool]:
        """Whether all `count` images of the part were measured; else a stop was asked for."""
        config = self._config.likelihood
        terms = Terms(source.network, self._config, self._edges, purpose=split)
        generator = torch.Generator().manual_seed(derive(config.seed, "likelihood", split, "images"))
        order = torch.randperm(len(found.images), generator=generator)[:count]
        file = FeatureFile(self._directory / FOLDER / f"{split}.f32", len(terms) + 1)
        if len(file) < count:  # a batch that was cut short is computed as a whole
            file.cut(len(file) - len(file) % config.batch_size)
        told_at = time.monotonic()
        if len(file):
            yield self._told(source, split, file, count)
        while len(file) < count:
            numbers = order[len(file) : min(len(file) + config.batch_size, count)]
            rows = self._rows(terms, found, numbers)
            if rows is None:
                break
            file.append(rows)
            if len(file) == count or time.monotonic() - told_at >= _SECONDS:
                told_at = time.monotonic()
                yield self._told(source, split, file, count)
        file.sync()
        return len(file) == count

    def _rows(self, terms: Terms, found: ImageSet, numbers: Tensor) -> Tensor | None:
        """float32 (N, len(terms) + 1) of the images numbered `numbers`; None where a stop was asked for."""
        x_0 = values(found.images[numbers].to(self._device)).contiguous(memory_format=torch.channels_last)
        labels = None
        if self._config.model.classes and found.labels is not None:
            labels = found.labels[numbers].to(self._device)
        numbers = numbers.to(self._device)
        columns = []
        for place, times in enumerate(terms.times(numbers)):
            if self._stop_asked:
                return None
            columns.append(terms.term(x_0, numbers, labels, place, times))
        return torch.stack([*columns, terms.prior(x_0)], dim=1)

    def _told(self, source: Subject, split: str, file: FeatureFile, count: int) -> BitsPerDim:
        """Of the images measured so far. EngineError where a term is not finite."""
        found = summary(file.rows(), self._edges)
        if not all(map(torch.isfinite, torch.tensor([found.bits_per_dim, *found.terms]))):
            raise EngineError(
                f"the bound of the {split} images is not finite: the network says numbers that are none"
            )
        return BitsPerDim(source.step, source.images_seen, split, len(file), count, **asdict(found))
