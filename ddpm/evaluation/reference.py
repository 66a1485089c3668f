"""What samples are compared with: statistics of all images of a data set, and features of some of them.

Both are computed once and kept in a folder (`Places.references`), unless they come with the package, as
MNIST's and CIFAR-10's statistics do. What is kept is found by a key over the network, its weights and
convention, the split, the shape and the hash of the pixels: nothing else can be taken for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ddpm.config import DataConfig
from ddpm.evaluation.features import Features
from ddpm.evaluation.floor import Floor
from ddpm.evaluation.keptsplit import BATCH, KeptSplit
from ddpm.evaluation.moments import Statistics
from ddpm.evaluation.places import Places
from ddpm.evaluation.progress import Steps, within
from ddpm.evaluation.scores import SUBSET


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    statistics: Statistics  #: of all images
    features: (
        np.ndarray | None
    )  #: float32 (min(N, SUBSET), D), of images drawn at random; None: not asked for
    identity: dict[str, Any]  #: as `Protocol.reference` has it
    #: Scores of the data set's other split against this one, as if its images were samples: "split",
    #: "samples", "fid", …, and "other", the identity of those images. None: not known, or no other split.
    floor: dict[str, Any] | None
    sampled: int  #: rows of `features`; 0 without
    notice: str | None = None  #: why the floor is not known, or was not kept


def build(
    data: DataConfig,
    split: str,
    features: Features,
    places: Places,
    *,
    companions: bool,
    floor: bool = False,
    batch: int = BATCH,
) -> Steps[Reference]:
    """The reference of a data set's split, yielding Progress while images go through the network.

    companions: with features, for KID and the like. floor: compute it if it is not known, from up to SUBSET
    images of the other split. batch: images between two yields.

    Work that was cut short is gone on with. Two processes that want the same do it once: one waits. Where all
    is kept or shipped nothing is written. Raises EngineError where the data are missing or the features not
    finite, and where the folder of references cannot be written though it must. What is wrong with the other
    split, or with keeping the floor, is told in `notice`.
    """
    kept = _kept(data, split, features.identity, places)
    _ = kept.identity  # what must be downloaded is, and with it comes the other split
    base = Floor(kept)
    plan = _Plan.of(kept, companions, base if floor else None)
    size, total = features.dimension, plan.statistics + plan.features + plan.floor
    if plan.statistics:
        yield from within(kept.compute_statistics(features, batch), 0, total)
    rows = min(SUBSET, kept.count) if companions else 0
    if rows:
        yield from within(kept.compute(rows, features, batch), 0, total)
    sampled = kept.rows(rows, size) if rows else None
    statistics, known = kept.statistics(), base.known()
    if plan.floor:
        work = base.compute(plan.floor, statistics, sampled, features, batch)
        known = yield from within(work, total - plan.floor, total)
    return Reference(statistics, sampled, kept.identity, known, rows, _notice(known, base.reason, plan.floor))


def _notice(floor: dict[str, Any] | None, reason: str, computed: int) -> str | None:
    if floor is None:
        return f"no floor is told: {reason or 'it was not computed yet; the evaluation of a run does it'}"
    return f"the floor was not computed anew, or not kept: {reason}" if computed and reason else None


def missing(
    data: DataConfig,
    split: str,
    network: Mapping[str, Any],
    dimension: int,
    places: Places,
    *,
    companions: bool,
    floor: bool = False,
) -> int:
    """Images whose features `build` has yet to compute, for a network of that identity and dimension."""
    kept = _kept(data, split, network, places)
    base = Floor(kept)
    plan = _Plan.of(kept, companions, base if floor else None)
    left = max(0, plan.statistics + plan.features - kept.done(dimension))
    return left + max(0, plan.floor - base.done(dimension))


def downloads(
    data: DataConfig,
    split: str,
    network: Mapping[str, Any],
    dimension: int,
    places: Places,
    *,
    companions: bool,
) -> bool:
    """Whether `build` has to download the data set: it is not at hand, and what is shipped or kept of it does
    not do."""
    kept = _kept(data, split, network, places)
    if kept.at_hand():
        return False
    return not kept.comes_along() or (companions and kept.done(dimension) < min(SUBSET, kept.count))


@dataclass(frozen=True, slots=True)
class _Plan:
    """Images that go through the network (or went, if the work was begun) for each thing that is lacking."""

    statistics: int
    features: int  #: those of the statistics are the same ones
    floor: int

    @classmethod
    def of(cls, kept: KeptSplit, companions: bool, floor: Floor | None) -> _Plan:
        lacking = not kept.knows_statistics()
        return cls(
            kept.count if lacking else 0,
            min(SUBSET, kept.count) if companions and not lacking else 0,
            floor.lacks(companions) if floor else 0,
        )


def _kept(data: DataConfig, split: str, network: Mapping[str, Any], places: Places) -> KeptSplit:
    return KeptSplit(data, split, dict(network), places.references, places.data_root)
