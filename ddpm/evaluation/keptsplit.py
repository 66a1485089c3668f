"""What is kept of one split of a data set as one feature network sees it: statistics, features, floor.

Below the folder of references, by a key that names whose they are: `KEY.f32` (features of the images in a
fixed random order, also while they are computed), `KEY.npz` (statistics of all), `KEY.floor.json`.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ddpm import atomic, datafiles
from ddpm import data as datasets
from ddpm.config import DataConfig
from ddpm.errors import EngineError
from ddpm.evaluation import statfile
from ddpm.evaluation.featurefile import FeatureFile
from ddpm.evaluation.features import Features
from ddpm.evaluation.moments import Statistics, statistics_of
from ddpm.evaluation.pixels import pixel_hash
from ddpm.evaluation.progress import Progress, Steps
from ddpm.evaluation.scores import SUBSET
from ddpm.randomness import DataOrder, derive

#: Images computed at once. Features come in whole batches, also after a kill: results depend on how many go
#: through the network together, in the last bits.
BATCH = 32
#: Folder of the statistics that come with the package.
SHIPPED = Path(str(resources.files("ddpm"))) / "evaluation" / "shipped"

_LOOK_AGAIN = 0.5  # seconds between two looks at the work of another process


class ReferencesError(EngineError):
    """The folder of references cannot be written, or not even be read."""


class KeptSplit:
    """`network` is the identity of the feature network (`Features.identity`), D its dimension."""

    def __init__(
        self, data: DataConfig, split: str, network: dict[str, Any], folder: Path, data_root: Path
    ) -> None:
        self.data, self.split, self.network = data, split, network
        self._folder, self._root = folder, data_root

    def of(self, split: str) -> KeptSplit:
        """That of another split of the data set."""
        return KeptSplit(self.data, split, self.network, self._folder, self._root)

    # -- whose they are -----------------------------------------------------------------------------

    @cached_property
    def images(self) -> Tensor:
        """uint8 (N,C,H,W). Raises DataError where they are missing and cannot be downloaded."""
        return datasets.load(self.data, self._root, self.split).images

    @cached_property
    def identity(self) -> dict[str, Any]:
        """As `Protocol.reference` has it; of the shipped statistics where the data set is not at hand."""
        if self._candidate is not None and not self.at_hand():
            return dict(self._candidate[1]["reference"])
        return {**self._subject(), "images": len(self.images), "data": pixel_hash(self.images)}

    @property
    def count(self) -> int:
        """Images of the split."""
        return int(self.identity["images"])

    @cached_property
    def key(self) -> str:
        whose = json.dumps([self.network, self.identity], sort_keys=True)
        shape = "x".join(map(str, self.data.shape))
        digest = hashlib.sha256(whose.encode()).hexdigest()[:12]
        return f"{self.data.dataset}-{self.split}-{shape}-{digest}"

    def _subject(self) -> dict[str, Any]:
        return {"dataset": self.data.dataset, "split": self.split, "shape": list(self.data.shape)}

    def at_hand(self) -> bool:
        """Whether its images need no download."""
        return datafiles.at_hand(self._root.expanduser(), self.data.dataset, self.split)

    def comes_along(self) -> bool:
        """Whether statistics are shipped, of these pixels or of what a download would bring."""
        return self._candidate is not None and (not self.at_hand() or self._shipped is not None)

    @cached_property
    def _candidate(self) -> tuple[Path, dict[str, Any]] | None:
        """Shipped statistics of this network and split, whatever the pixels."""
        wanted = self._subject()
        for path in sorted(SHIPPED.glob("*.npz")):
            meta = statfile.read_meta(path)
            reference = meta.get("reference") or {}
            if meta.get("features") == self.network and wanted.items() <= reference.items():
                return path, meta
        return None

    @property
    def _shipped(self) -> tuple[Path, dict[str, Any]] | None:
        """Those of these very pixels."""
        if self._candidate is not None and self._candidate[1]["reference"] == self.identity:
            return self._candidate
        return None

    # -- what is known ------------------------------------------------------------------------------

    def knows_statistics(self) -> bool:
        return self._shipped is not None or self._size(".npz") is not None

    def statistics(self) -> Statistics:
        """Of all images. Raises EngineError where the file is damaged or says that it is another's."""
        path = self._shipped[0] if self._shipped else self._path(".npz")
        statistics, meta = statfile.load(path)
        if meta.get("features") != self.network or meta.get("reference") != self.identity:
            raise EngineError(f"{datafiles.shown(path)} holds statistics of something else; remove it")
        return statistics

    def shipped_floor(self) -> dict[str, Any] | None:
        return self._shipped[1].get("floor") if self._shipped else None

    def kept_floor(self) -> dict[str, Any] | None:
        try:
            known = json.loads(self._path(".floor.json").read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None  # none, or damaged: computed anew
        return known if isinstance(known, dict) else None

    def keep_floor(self, floor: dict[str, Any]) -> None:
        """Raises ReferencesError where it cannot be written."""
        path = self._path(".floor.json")
        with self._writing(), path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            atomic.sweep(self._folder, path.name)
            with atomic.replacing(path, synced=True) as aside:
                aside.write_text(json.dumps(floor, indent=1), encoding="utf-8")

    def rows(self, count: int, dimension: int) -> np.ndarray:
        """The first `count` features, float32 (count,D), read from the disk as they are used."""
        path = self._path(".f32")
        return np.memmap(path, dtype="<f4", mode="r", shape=(count, dimension))

    def done(self, dimension: int) -> int:
        """Features that are there, whoever is computing them."""
        return (self._size(".f32") or 0) // (4 * dimension)

    # -- what is computed ---------------------------------------------------------------------------

    def compute(self, count: int, features: Features, batch: int) -> Steps[None]:
        """See that at least `count` features are there. Raises ReferencesError where they cannot be kept."""
        if self.done(features.dimension) < count:
            yield from self._alone(self._extend(count, features, batch), count, features.dimension)

    def compute_statistics(self, features: Features, batch: int) -> Steps[None]:
        """Statistics of all images; of their features the first SUBSET stay."""
        if not self.knows_statistics():
            work = self._collect(features, batch)
            yield from self._alone(work, self.count, features.dimension)

    def _collect(self, features: Features, batch: int) -> Steps[None]:
        if self.knows_statistics():  # another process was faster
            return
        yield from self._extend(self.count, features, batch)
        statistics = statistics_of(self.rows(self.count, features.dimension))
        statfile.save(self._path(".npz"), statistics, {"features": self.network, "reference": self.identity})
        FeatureFile(self._path(".f32"), features.dimension).cut(SUBSET)

    def _extend(self, count: int, features: Features, batch: int) -> Steps[None]:
        file = FeatureFile(self._path(".f32"), features.dimension)
        if len(file) >= count:
            return
        settled = SUBSET if len(file) >= SUBSET else 0  # those may be mapped by others
        file.cut(max(settled, len(file) - len(file) % batch))
        order = DataOrder(self.count, derive(0, "reference")).batch(0, self.count)
        while len(file) < count:
            chosen = order[len(file) : len(file) + batch]
            found = features(self.images[chosen])
            finite = torch.isfinite(found).all(1)
            if not finite.all():
                number = int(chosen[int((~finite).nonzero()[0])])
                raise EngineError(
                    f"the features of image {number} of {self.data.dataset}:{self.split} are not finite: "
                    f"the feature network {self.network['network']} fails on this device"
                )
            file.append(found)
            yield Progress(min(len(file), count), count)
        file.sync()

    def _alone(self, work: Steps[None], count: int, dimension: int) -> Steps[None]:
        """The work, once no other process does the like; until then how far that one is."""
        with self._writing(), self._path(".lock").open("w") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    yield Progress(min(self.done(dimension), count), count)
                    time.sleep(_LOOK_AGAIN)
            yield Progress(min(self.done(dimension), count), count)
            atomic.sweep(self._folder, self._path(".npz").name)
            yield from work

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """The folder is there, or ReferencesError."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            yield
        except OSError as error:
            raise ReferencesError(
                f"{datafiles.shown(self._folder)}, where references are kept, cannot be written: "
                f"{error.strerror or error}"
            ) from error

    def _size(self, ending: str) -> int | None:
        """Bytes; None: no such file. Raises ReferencesError where the folder cannot be looked into."""
        try:
            return self._path(ending).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise ReferencesError(
                f"{datafiles.shown(self._folder)}, where references are kept, cannot be read: "
                f"{error.strerror or error}"
            ) from error

    def _path(self, ending: str) -> Path:
        return self._folder / f"{self.key}{ending}"
