"""The floor of a reference: the scores of the data set's other split, as if its images were samples.

It is kept beside the reference's statistics with the identity of the other split, as it depends on both.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ddpm import datafiles
from ddpm.datafiles import DataError
from ddpm.errors import EngineError
from ddpm.evaluation.features import Features
from ddpm.evaluation.keptsplit import KeptSplit
from ddpm.evaluation.moments import Statistics
from ddpm.evaluation.progress import Steps
from ddpm.evaluation.scores import SUBSET, score

#: Pixel hashes of published test splits: MNIST's 28×28 and 32×32, CIFAR-10's. What is shipped is of these,
#: also where the file does not say so.
PUBLISHED = (
    "90790af80bc8e3041db7454aa41d3610699331764abc828785a353518e4984b5",
    "d6bd81e9c16ed0acd7455feb5fe57f53adc7e6043ec4e9d7b3b1e1899881295f",
    "0eb4d4504244ece545bf93a84ff445fe83cfb6c48ae14bde013117e25c3a7688",
)


class Floor:
    """Of one split. `reason`: why it cannot be computed, "" where it can (or was)."""

    def __init__(self, kept: KeptSplit) -> None:
        self._kept = kept
        self._other: KeptSplit | None = None  # None: it has none, or its images are not to be had
        self.reason = ""
        dataset = kept.data.dataset
        splits = datafiles.splits(dataset)
        if len(splits) == 1:
            self.reason = f"{'a folder' if dataset == 'folder' else dataset} has no other split"
            return
        (split,) = set(splits) - {kept.split}
        other = kept.of(split)
        if not other.at_hand():
            self.reason = f"the {split} split of {dataset} is not on this machine"
            return
        try:
            _ = other.identity
        except DataError as error:
            self.reason = str(error)
        else:
            self._other = other

    def known(self) -> dict[str, Any] | None:
        """What is kept or shipped; of this very other split, unless its images are not to be had."""
        own, shipped = self._kept.kept_floor(), self._kept.shipped_floor()
        for found, published in ((own, False), (shipped, True)):
            if found is not None and "fid" in found and self._fits(found.get("other"), published):
                return found
        return None

    def lacks(self, companions: bool) -> int:
        """Images of the other split that its scores are to be computed from; 0 where it is known, or cannot
        be."""
        known = self.known()
        if self._other is None or (known and (not companions or known.get("precision") is not None)):
            return 0
        return min(SUBSET, self._other.count)

    def done(self, dimension: int) -> int:
        """Of those, the images whose features are there."""
        return 0 if self._other is None else self._other.done(dimension)

    def compute(
        self,
        count: int,
        statistics: Statistics,
        sample: np.ndarray | None,
        features: Features,
        batch: int,
    ) -> Steps[dict[str, Any] | None]:
        """The scores of `count` images of the other split against the reference's statistics and features.

        Nothing that goes wrong with it ends an evaluation: it is told in `reason`.
        """
        assert self._other is not None
        known = self.known()
        try:
            yield from self._other.compute(count, features, batch)
            found = score(self._other.rows(count, features.dimension), statistics, sample)
            known = {"split": self._other.split, "samples": count, **found.to_dict()}
            known["other"] = self._other.identity
            self._kept.keep_floor(known)
        except EngineError as error:
            self.reason = str(error)
        return known

    def _fits(self, other: Any, published: bool) -> bool:
        if self._other is None:
            return True
        identity = self._other.identity
        return other == identity or (published and other is None and identity["data"] in PUBLISHED)
