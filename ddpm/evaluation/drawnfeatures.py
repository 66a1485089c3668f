"""The features of an evaluation under way: in a folder that outlives the process, and goes with its end."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ddpm import atomic
from ddpm.evaluation.featurefile import FeatureFile

#: In a run's directory; there only while an evaluation is unfinished.
FOLDER = "evaluation"
_STATE = "state.json"


class DrawnFeatures:
    """Features of the images 0, 1, 2, … that are drawn in batches, one file for each feature network; and
    the first images (C,H,W) themselves.

    `of` says whose features they are, plain data with the "step" among it: what a folder holds of anything
    else is dropped. Only whole batches count, as an image's last bits depend on the others of its batch.
    """

    def __init__(
        self,
        folder: Path,
        dimensions: Mapping[str, int],
        shape: tuple[int, int, int],
        of: Mapping[str, Any],
        *,
        batch: int,
        total: int,
    ) -> None:
        self._folder, self._shape = folder, shape
        content = json.loads(json.dumps(of))
        if _state(folder) != content:
            remove(folder)
            folder.mkdir(parents=True)
            with atomic.replacing(folder / _STATE, synced=True) as aside:
                aside.write_text(json.dumps(content, indent=1), encoding="utf-8")
        self._files = {name: FeatureFile(folder / f"{name}.f32", size) for name, size in dimensions.items()}
        self._pixels = FeatureFile(folder / "pixels.f32", math.prod(shape))
        whole = total if self.done >= total else self.done - self.done % batch
        for file in (*self._files.values(), self._pixels):
            file.cut(whole)

    @property
    def done(self) -> int:
        """Images whose features are here."""
        return min(map(len, self._files.values()))

    def show(self, images: Tensor) -> None:
        """Keeps the next of the first images, uint8 (N,C,H,W); to be called before their features are added,
        so that no image counts as done which is not here."""
        self._pixels.append(images.flatten(1).float())
        self._pixels.sync()  # they are few, and must not be behind the features after a power cut

    def shown(self) -> Tensor:
        """The first images, uint8 (N,C,H,W)."""
        rows = np.array(self._pixels.rows(), np.uint8)
        return torch.from_numpy(rows).reshape(-1, *self._shape)

    def append(self, features: Mapping[str, Tensor]) -> None:
        """The features of the next batch, float32 (N,dimension) from each network."""
        for name, rows in features.items():
            self._files[name].append(rows)

    def sync(self) -> None:
        """Sees that all is on the disk itself; to be called after the last batch."""
        for file in self._files.values():
            file.sync()

    def rows(self, name: str) -> np.ndarray:
        """Float32 (done, dimension), read from the disk as they are used."""
        return self._files[name].rows()

    def remove(self) -> None:
        """The folder with all that is in it."""
        remove(self._folder)


def step_of(folder: Path) -> int | None:
    """Of which step an evaluation was left unfinished there; None where there is none."""
    step = (_state(folder) or {}).get("step")
    return step if isinstance(step, int) else None


def remove(folder: Path) -> None:
    """Drops an evaluation's features, if there are any; its state first, so that no half of them counts."""
    (folder / _STATE).unlink(missing_ok=True)
    if folder.exists():
        shutil.rmtree(folder)


def _state(folder: Path) -> dict[str, Any] | None:
    try:
        content = json.loads((folder / _STATE).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None  # none, or damaged: it begins anew
    return content if isinstance(content, dict) else None
