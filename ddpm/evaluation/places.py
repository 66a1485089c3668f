"""Where an evaluation finds and keeps what outlasts it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Places:
    data_root: Path  #: of the data sets
    weights: Path | None  #: the file of the Inception weights, where a person named one
    weights_folder: Path  #: where they are looked for, and downloaded to, otherwise
    references: Path  #: folder of reference statistics and features that were computed here
    classifier: Path | None = None  #: weights of the small classifier, where a person named them
