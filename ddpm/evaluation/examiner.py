"""Judging a network by images it draws: what an evaluating run and a training that looks at itself share."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import torch

from ddpm import averages
from ddpm.config import Config
from ddpm.config_sampling import WITH_NOISE
from ddpm.evaluation import classifier, locating, reference, scores
from ddpm.evaluation.drawing import Drawing, First
from ddpm.evaluation.drawnfeatures import DrawnFeatures
from ddpm.evaluation.features import Features, InceptionFeatures, batch_size
from ddpm.evaluation.pace import Pace, Stopped
from ddpm.evaluation.places import Places
from ddpm.evaluation.progress import Steps
from ddpm.evaluation.protocol import Protocol
from ddpm.evaluation.reference import Reference
from ddpm.events import Evaluated, Event, Notice
from ddpm.subject import Subject

T = TypeVar("T")

#: Names of the feature networks, and of their files.
INCEPTION, CLASSIFIER = "inception", "classifier"


def networks(config: Config, places: Places, device: torch.device) -> Steps[dict[str, Features]]:
    """The networks to measure with: Inception's, and the small classifier's where it knows such images.

    Progress is in bytes, where weights are downloaded. Raises EngineError where they cannot be had.
    """
    weights = yield from locating.obtain(places)
    found: dict[str, Features] = {INCEPTION: InceptionFeatures(weights, config.evaluation.convention, device)}
    if classifier.applies_to(config.data):
        found[CLASSIFIER] = classifier.ClassifierFeatures(places.classifier, device)
    return found


class Examiner:
    """Draws `config.evaluation.samples` images and measures how far they are from the data set.

    What outlasts one examination is kept in it: a training has feature networks and reference ready at its
    next interval. `stopped` is asked between steps and between parts of a batch.
    """

    def __init__(
        self, config: Config, places: Places, device: torch.device, stopped: Callable[[], bool]
    ) -> None:
        self._config, self._places, self._device, self._stopped = config, places, device, stopped
        self._networks: dict[str, Features] = {}
        self._references: dict[str, Reference] = {}

    def prepare(self) -> Iterator[Event]:
        """Loads the feature networks, unless they are; downloads weights that are missing.

        Raises EngineError where they cannot be had, and Stopped.
        """
        if self._networks:
            return
        notice = iter([Notice("downloading the weights of the FID Inception network")])
        work = networks(self._config, self._places, self._device)
        self._networks = yield from self._finish(work, lambda *_: islice(notice, 1))

    def examine(self, subject: Subject, folder: Path, first: First | None = None) -> Iterator[Event]:
        """Events up to Evaluated, then `folder` is gone: meanwhile it holds what is done, to go on from.

        Raises Stopped, and EngineError for what a person must know: weights or data that are missing.
        """
        yield from self.prepare()
        total = self._config.evaluation.samples
        dimensions = {name: network.dimension for name, network in self._networks.items()}
        drawn = DrawnFeatures(
            folder,
            dimensions,
            self._config.data.shape,
            self._drawn_how(subject),
            batch=self._config.sampling.batch_size,
            total=total,
        )
        yield from self._refer(subject)  # with a folder, so that a stop in these hours is gone on from too
        drawing = Drawing(subject, self._config, self._networks, self._check)
        yield from drawing.run(drawn, first)
        pace = Pace(subject, "scores")
        yield from pace.told(0, total)
        evaluated = self._scored(subject, drawn, drawing)
        yield from pace.told(total, total)
        yield evaluated
        drawn.remove()

    # -- what it is compared with -------------------------------------------------------------------

    def _refer(self, subject: Subject) -> Iterator[Event]:
        """The reference of every network, unless they are there."""
        settings, told = self._config.evaluation, list[str]()
        for name, network in self._networks.items():
            if name in self._references:
                continue
            work = reference.build(
                self._config.data,
                settings.reference,
                network,
                self._places,
                companions=settings.companions and name == INCEPTION,
                floor=True,
                batch=batch_size(self._device),
            )
            found = yield from self._finish(work, Pace(subject, "reference").told)
            self._references[name] = found
            if found.notice and found.notice not in told:
                told.append(found.notice)
                yield Notice(found.notice)

    def _finish(
        self, work: Steps[T], told: Callable[[int, int], Iterator[Event]]
    ) -> Generator[Event, None, T]:
        """The result of the work, whose progress is told; Stopped as soon as a stop is asked for."""
        with closing(work):
            while True:
                self._check()
                try:
                    progress = next(work)
                except StopIteration as end:
                    result: T = end.value
                    return result
                yield from told(progress.done, progress.total)

    def _check(self) -> None:
        if self._stopped():
            raise Stopped

    # -- what comes of it ---------------------------------------------------------------------------

    def _scored(self, subject: Subject, drawn: DrawnFeatures, drawing: Drawing) -> Evaluated:
        settings, known = self._config.evaluation, self._references[INCEPTION]
        features = known.features if settings.companions else None
        found = scores.score(drawn.rows(INCEPTION), known.statistics, features)
        floor, classifier_fd = known.floor, None
        if CLASSIFIER in self._networks:
            small = self._references[CLASSIFIER]
            classifier_fd = scores.score(drawn.rows(CLASSIFIER), small.statistics, None).fid
            if floor is not None and small.floor is not None:
                floor = {**floor, "classifier_fd": small.floor["fid"]}
        protocol = self._protocol()
        return Evaluated(
            step=subject.step,
            images_seen=subject.images_seen,
            **found.to_dict(),
            classifier_fd=classifier_fd,
            floor=floor,
            samples=settings.samples,
            seed=self._config.sampling.seed,
            protocol=protocol.to_dict(),
            protocol_id=protocol.id,
            sampling_seconds=round(drawing.sampling_seconds, 3),
            feature_seconds=round(drawing.feature_seconds, 3),
        )

    def _protocol(self) -> Protocol:
        known, features = self._references[INCEPTION], dict(self._networks[INCEPTION].identity)
        companions: dict[str, Any] = {}
        if self._config.evaluation.companions and known.features is not None:
            companions = scores.companions() | {"reference_features": len(known.features)}
        if CLASSIFIER in self._networks:
            weights = companions["classifier"] = self._networks[CLASSIFIER].identity["weights"]
            if self._places.classifier is not None and weights != classifier.shipped_hash():
                features["classifier"] = weights  # its distances are not ranked with the usual one's
        return Protocol(
            features=features,
            reference=known.identity,
            samples=self._config.evaluation.samples,
            sampling=sampling_protocol(self._config),
            companions=companions or None,
        )

    def _drawn_how(self, subject: Subject) -> dict[str, Any]:
        """All that the features of the images depend on: others must not be mixed with them."""
        sampling = self._config.sampling
        return {
            "step": subject.step,
            "samples": self._config.evaluation.samples,
            "seed": sampling.seed,
            "batch_size": sampling.batch_size,
            "precision": str(subject.precision).removeprefix("torch."),
            "sampling": sampling_protocol(self._config),
            "features": {name: network.identity for name, network in self._networks.items()},
        }


def sampling_protocol(config: Config) -> dict[str, Any]:
    """How images are drawn, as far as it decides what a score may be compared with."""
    sampling = config.sampling
    noisy = sampling.sampler == "ddim" or (sampling.sampler in WITH_NOISE and sampling.eta > 0)
    more: dict[str, Any] = {} if sampling.clip else {"clip": False}
    if sampling.spacing == "karras":
        more["rho"] = sampling.rho
    if sampling.labels:
        more["labels"] = list(sampling.labels)
    if sampling.guidance != 1:
        more["guidance"] = [sampling.guidance, sampling.guidance_from, sampling.guidance_to]
        if sampling.guide is not None:
            more["guidance_step"] = sampling.guide
            if config.model.classes and sampling.guidance_class:
                more["guidance_class"] = True
    return {
        "sampler": sampling.sampler,
        "steps": sampling.resolved_steps(config.diffusion.timesteps),
        "spacing": sampling.spacing,
        "eta": sampling.eta if noisy else None,
        "variance": config.diffusion.variance if sampling.sampler == "ddpm" else None,
        **averages.told(config.training, sampling),
        **more,
    }
