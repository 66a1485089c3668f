"""The scores of one set of images against another, whatever kind of thing each is given as."""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from ddpm import data as datasets
from ddpm import devices
from ddpm.datafiles import shown
from ddpm.errors import EngineError
from ddpm.evaluation import reference, rulers, scores, sides, statfile
from ddpm.evaluation.features import Features, InceptionFeatures, batch_size
from ddpm.evaluation.locating import obtain
from ddpm.evaluation.places import Places
from ddpm.evaluation.progress import Steps, retold
from ddpm.evaluation.protocol import Protocol
from ddpm.evaluation.resize import Convention
from ddpm.evaluation.sides import Gathered
from ddpm.evaluation.sources import FeatureRows, Images, Known, Named, Source

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Told:
    """How far the work is."""

    stage: str  #: what is done, in words
    done: int
    total: int  #: 0: not known
    unit: str = "images"  #: or "bytes"


@dataclass(frozen=True, slots=True)
class Side:
    """What one of the two sets is, in a result."""

    name: str  #: as it was given
    kind: str  #: "images", "features", "statistics" or "data set"
    images: int | None  #: None: the file does not say
    size: tuple[int, int] | None  #: (width, height) in pixels; None: it has none, or the file does not say


@dataclass(frozen=True, slots=True)
class Result:
    """Scores of `subject` against `reference`; which is which changes neither FID nor KID."""

    scores: scores.Scores
    subject: Side
    reference: Side
    #: of the reference: the same scores of its data set's other split, where they are known
    floor: dict[str, Any] | None
    protocol: Protocol
    notes: tuple[str, ...]  #: what a person should know before believing the numbers, a line each

    def to_dict(self) -> dict[str, Any]:
        """Plain data, with `fid` at the top."""
        return {
            **self.scores.to_dict(),
            "convention": self.protocol.features.get("convention"),
            "floor": self.floor,
            "subject": asdict(self.subject),
            "reference": asdict(self.reference),
            "protocol": self.protocol.to_dict(),
            "protocol_id": self.protocol.id,
            "notes": list(self.notes),
        }


#: `result = yield from work()`; what it yields is for whoever watches.
Work = Generator[Told, None, T]


def compare(
    a: Source,
    b: Source,
    places: Places,
    *,
    convention: Convention | None = None,
    device: str = "auto",
    companions: bool = True,
    keep: Path | None = None,
) -> Work[Result]:
    """Scores of `a` against the reference `b`; of `b` against `a` where only `a` is a data set or statistics.

    convention: unset, that of a statistics file that says its own, else tensorflow. companions: KID,
    precision, recall, density and coverage too, where both sides have images or features. keep: a new file
    (`.npz`, see `ddpm.evaluation.statfile`) for the statistics of the reference, to compare with again.

    Raises EngineError in one line before any image is looked at where the two cannot be compared: features of
    other networks, conventions or dimensions; WeightsError where the network's weights are missing or wrong.
    """
    if keep is not None:
        _require_new(keep)
    subject, target = (b, a) if _rank(a) > _rank(b) else (a, b)
    ruler = rulers.settle(subject, target, convention)
    companions = companions and not any(isinstance(source, Known) for source in (subject, target))
    gathered = yield from _Gathering(ruler, places, device, companions).both(subject, target)
    if keep is not None:
        statfile.save(keep, gathered[1].statistics, _meta(target, ruler, gathered[1]))
    yield Told("scores", 0, 0)
    one, other = gathered
    rows, real = (one.features, other.features) if companions else (None, None)
    found = scores.between(one.statistics, rows, other.statistics, real)
    sides = _side(subject, one), _side(target, other)
    used = None if real is None else scores.companions() | {"reference_features": len(real)}
    protocol = Protocol(ruler.identity, other.identity, sides[0].images, None, used)
    notes = rulers.notes(subject, target, {side.name: side.images for side in sides}, ruler, found)
    if other.notice:
        notes = (*notes, other.notice)
    return Result(found, *sides, other.floor, protocol, notes)


def _require_new(path: Path) -> None:
    """EngineError where the statistics could not be kept: better told before hours of work."""
    if path.suffix != ".npz":
        raise EngineError(f"{shown(path)}: statistics are kept in a file whose name ends in .npz")
    if path.exists():
        raise EngineError(f"{shown(path)} exists already: name another file for the statistics")
    there = next(folder for folder in path.absolute().parents if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise EngineError(f"{shown(path)}: nothing can be written into {shown(there)}")


def _meta(target: Source, ruler: rulers.Ruler, gathered: Gathered) -> dict[str, Any]:
    """What kept statistics say of themselves; what was but taken for granted of a file is not said."""
    known = {} if rulers.silent(target) else {"features": ruler.identity}
    return {**known, "reference": gathered.identity, "floor": gathered.floor}


def _rank(source: Source) -> int:
    """The one of the higher rank is the reference, whichever way round they were given."""
    return {Images: 0, FeatureRows: 0, Known: 1, Named: 2}[type(source)]


def _side(source: Source, gathered: Gathered) -> Side:
    kind = {Images: "images", FeatureRows: "features", Known: "statistics", Named: "data set"}[type(source)]
    shape = gathered.identity.get("shape")
    size = (shape[2], shape[1]) if isinstance(shape, list) and len(shape) == 3 else None
    return Side(source.name, kind, gathered.identity.get("images"), size)


class _Gathering:
    """From two sources to what is known of both; the network is loaded when the first image needs it."""

    def __init__(self, ruler: rulers.Ruler, places: Places, device: str, companions: bool) -> None:
        self._ruler, self._places, self._companions = ruler, places, companions
        self._device_name = device
        self._features: Features | None = None
        self._batch = 0  # known with the device

    def both(self, subject: Source, target: Source) -> Work[tuple[Gathered, Gathered]]:
        """The data sets come last, so that what is wrong with a person's own files shows first, and their
        data are looked for at once, as nothing is to be computed in vain."""
        for source in (subject, target):
            if isinstance(source, Named):
                yield Told(f"reading {source.name}", 0, 0)
                self._require_data(source)
        found: dict[int, Gathered] = {}
        for source in sorted((subject, target), key=lambda source: isinstance(source, Named)):
            found[id(source)] = yield from self._one(source)
        return found[id(subject)], found[id(target)]

    def _one(self, source: Source) -> Work[Gathered]:
        if isinstance(source, Known):
            return sides.known(source)
        if isinstance(source, FeatureRows):
            return (yield from _told(sides.rows(source), f"reading {source.name}"))
        features = yield from self._network()
        stage = f"features of {source.name}"
        with devices.memory_told(
            devices.resolve(self._device_name), "try --device cpu, or close other programs"
        ):
            if isinstance(source, Images):
                return (yield from _told(sides.images(source, features, self._batch), stage))
            work = reference.build(
                source.data,
                source.split,
                features,
                self._places,
                companions=self._companions,
                batch=self._batch,
            )
            built = yield from _told(work, f"{stage}, computed once")
        return Gathered(built.statistics, built.features, built.identity, built.floor, built.notice)

    def _network(self) -> Work[Features]:
        if self._features is None:
            device = devices.resolve(self._device_name)
            work = obtain(self._places)
            weights = yield from _told(work, "downloading the Inception weights", "bytes")
            yield Told("loading the Inception network", 0, 0)
            self._features = InceptionFeatures(weights, self._ruler.convention, device)
            self._batch = batch_size(device)
        return self._features

    def _require_data(self, source: Named) -> None:
        """Raises DataError where the data set is missing and cannot be downloaded."""
        asked = (source.data, source.split, self._ruler.identity, self._ruler.dimension, self._places)
        if reference.downloads(*asked, companions=self._companions):
            datasets.load(source.data, self._places.data_root, source.split)
        reference.missing(*asked, companions=self._companions)


def _told(work: Steps[T], stage: str, unit: str = "images") -> Work[T]:
    return retold(work, lambda progress: Told(stage, progress.done, progress.total, unit))
