"""Features on disk while they are computed: rows that survive a kill, so that the work goes on from there."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
from torch import Tensor

#: Seconds of work that a power cut may cost: to wait for the disk at each batch would take longer than some.
SYNC_SECONDS = 10.0


class FeatureFile:
    """Rows of little-endian float32 numbers, appended; a torn last row is cut off when it is opened.

    The file says nothing but its numbers: whose features they are is for the owner of its folder to know.
    """

    def __init__(self, path: Path, dimension: int) -> None:
        self.path, self.dimension = path, dimension
        self._width = 4 * dimension
        self._next_sync = time.monotonic() + SYNC_SECONDS
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.truncate(len(self) * self._width)

    def __len__(self) -> int:
        """Whole rows."""
        return self.path.stat().st_size // self._width

    def cut(self, rows: int) -> None:
        """Only the first `rows` stay; nothing where there are no more. Maps given out by `rows` go bad."""
        if rows < len(self):
            os.truncate(self.path, rows * self._width)

    def append(self, features: Tensor) -> None:
        """float32 (N,dimension)."""
        rows = np.ascontiguousarray(features.cpu().numpy(), dtype="<f4")
        if rows.ndim != 2 or rows.shape[1] != self.dimension:
            raise ValueError(f"features of shape {rows.shape} in a file of {self.dimension} columns")
        with self.path.open("ab") as file:
            file.write(rows.tobytes())
        if time.monotonic() >= self._next_sync:
            self.sync()

    def sync(self) -> None:
        """See that all rows are on the disk itself; to be called after the last one."""
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        self._next_sync = time.monotonic() + SYNC_SECONDS

    def rows(self) -> np.ndarray:
        """All rows, float32 (N,dimension), read from the disk as they are used."""
        if not len(self):
            return np.empty((0, self.dimension), np.float32)
        return np.memmap(self.path, dtype="<f4", mode="r", shape=(len(self), self.dimension))
