"""What the app knows of the home: one catalogue, opened when first read, and the few things it asks of it.

Every method reads files or the database, so all of them are called from background threads only.
The imports are inside the methods: SQLAlchemy is loaded after the first frame is painted.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runs.rows import Bucket, RunDetail, RunQuery, RunRow, Standing

if TYPE_CHECKING:
    from runs.catalogue import Catalogue
    from runs.directory import RunDirectory
    from runs.home import Home

#: Rows of one page of the table.
PAGE = 200


@dataclass(frozen=True, slots=True)
class Page:
    """Rows `offset`, `offset` + 1, … of a query's answer, which has `total` rows."""

    query: RunQuery
    rows: list[RunRow]
    total: int


class Store:
    """Reads for the screens; safe to use from several threads."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._catalogue: Catalogue | None = None
        self._opening = threading.Lock()
        self._syncing = threading.Lock()
        self._version: int | None = None

    @property
    def catalogue(self) -> Catalogue:
        with self._opening:
            if self._catalogue is None:
                from runs.catalogue import Catalogue

                self._catalogue = Catalogue(self.home)
            return self._catalogue

    def close(self) -> None:
        with self._opening:
            if self._catalogue is not None:
                self._catalogue.close()

    def sync(self) -> bool:
        """Reads what is new in the run directories; True if this or another process changed the catalogue."""
        with self._syncing:
            changed = self.catalogue.sync()
            version = self.catalogue.version()
            changed = changed or version != self._version
            self._version = version
            return changed

    def page(self, query: RunQuery) -> Page:
        return Page(query, self.catalogue.runs(query), self.catalogue.count(query))

    def detail(self, run_id: int) -> RunDetail:
        return self.catalogue.detail(run_id)

    def image_size(self, detail: RunDetail) -> int | None:
        """Pixels across one image of a run."""
        from tui.legible import image_size

        return image_size(detail)

    def details(self, run_ids: Sequence[int]) -> list[RunDetail]:
        return [self.catalogue.detail(run_id) for run_id in run_ids]

    def leaderboard(self) -> list[Standing]:
        return self.catalogue.leaderboard()

    def sparks(self, run_ids: Sequence[int], buckets: int) -> dict[int, list[float]]:
        return self.catalogue.sparks(run_ids, buckets=buckets)

    def series(self, run_id: int, metrics: Sequence[str], buckets: int) -> dict[str, list[Bucket]]:
        """Each metric over images seen."""
        return {metric: self.catalogue.series(run_id, metric, buckets) for metric in metrics}

    def live(self, reference: str) -> RunDirectory | None:
        """The run that a number, name, … means, where it has not ended. RunError where there is none."""
        from runs.status import running

        run = self.directory(self.catalogue.find(reference))
        return run if running(run.path) else None

    def directory(self, run: RunRow) -> RunDirectory:
        from pathlib import Path

        from runs.directory import RunDirectory

        return RunDirectory(Path(run.path))
