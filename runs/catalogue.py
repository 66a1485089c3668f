"""The catalogue as everyone reads it: lists, details, series. The command and the app ask nothing else.

It answers from an index of the run directories (`runs/sync.py` keeps it); `sync` first, then read.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, Select, case, func, select

from runs import evaluations, files, series, sync
from runs.database import MEMORY, Database, told
from runs.errors import RunError
from runs.home import Home
from runs.reading import ROW_COLUMNS, detail_of, row_of
from runs.rows import Bucket, FidProtocol, RunDetail, RunQuery, RunRow, Standing
from runs.schema import SORTABLE, run

#: Names that are looked through for near misses.
_NEAR_AMONG = 5_000


class Catalogue:
    """The runs of a home. Safe to use from several threads; a context manager that closes itself."""

    def __init__(self, home: Home, *, in_memory: bool = False) -> None:
        """Open the file, making or renewing it. RunError where that cannot be done, UnwritableError where it
        is the disk's fault: `in_memory` it can be read all the same, by one thread; nothing is written then.
        """
        self.home = home
        self._database = Database(MEMORY if in_memory else home.catalogue)
        self._syncing = threading.Lock()
        self._watching = threading.Lock()
        self._watch: Connection | None = None
        #: What a person should know of the file itself, in one line: it was damaged and is built anew.
        self.notice = self._database.notice
        #: (path, why) of all that the last sync could not read.
        self.skipped: list[tuple[str, str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        with self._watching:
            if self._watch is not None:
                self._watch.close()
            self._watch = None
        self._database.close()

    def sync(self, *, probe: bool = True) -> bool:
        """Read what is new in the run directories; whether anything was.

        Without `probe` the status of known runs is left as it is. Raises RunError.
        """
        with self._syncing:
            outcome = sync.sync(self._database, self.home, probe=probe)
            self.skipped = outcome.skipped
            return outcome.changed

    def version(self) -> int:
        """A number that moves when anyone has written. Asking costs next to nothing."""
        with self._watching, told(self.home.catalogue):
            if self._watch is None:
                self._watch = self._database.watch()
            return int(self._watch.exec_driver_sql("PRAGMA data_version").scalar_one())

    # -- lists ---------------------------------------------------------------------------------------

    def runs(self, query: RunQuery = RunQuery()) -> list[RunRow]:  # noqa: B008 (frozen)
        """A page of runs. A negative limit is none. RunError for an unknown field to sort by."""
        if query.sort not in SORTABLE:
            raise RunError(f"runs cannot be sorted by {query.sort!r}; by {', '.join(SORTABLE)}")
        column = SORTABLE[query.sort]
        if query.descending:  # for SQLite the unknown is below everything
            order = (column.desc(), run.c.id.desc())
        else:
            order = (column.asc().nulls_last(), run.c.id.asc())
        page = _filtered(select(*ROW_COLUMNS), query).order_by(*order)
        with self._database.reading() as connection:
            rows = connection.execute(page.limit(query.limit).offset(query.offset)).all()
        return [row_of(row, self.home) for row in rows]

    def count(self, query: RunQuery = RunQuery()) -> int:  # noqa: B008 (frozen)
        """All runs of a query, beyond its page too."""
        with self._database.reading() as connection:
            return connection.execute(_filtered(select(func.count()).select_from(run), query)).scalar_one()

    # -- one run -------------------------------------------------------------------------------------

    def detail(self, run_id: int) -> RunDetail:
        """All that is known of a run. RunError if there is none of that number."""
        with self._database.reading() as connection:
            found = detail_of(connection, run_id, self.home)
        if found is None:
            raise RunError(f"there is no run {run_id}")
        return found

    def at(self, path: Path) -> RunRow:
        """The run in a directory of the home. RunError where the last sync found none there."""
        with self._database.reading() as connection:
            row = connection.execute(select(*ROW_COLUMNS).where(run.c.directory == path.name)).first()
        if row is None:
            raise RunError(f"{path} is no run that the catalogue knows")
        return row_of(row, self.home)

    def find(self, reference: str) -> RunRow:
        """The run that a person means: `last`, its number, its exact name, or the start of one name only.

        RunError names those that it could be, or those that are nearest.
        """
        with self._database.reading() as connection:
            if (row := _find(connection, reference)) is not None:
                return row_of(row, self.home)
            raise RunError(_not_found(connection, reference))

    def fid_protocols(self) -> dict[int, FidProtocol]:
        """What the FIDs of runs are of, by their numbers."""
        with self._database.reading() as connection:
            return evaluations.fid_protocols(connection)

    # -- evaluations ---------------------------------------------------------------------------------

    def leaderboard(self) -> list[Standing]:
        """All evaluations in groups of equal protocols, in each the best first; the largest group first."""
        with self._database.reading() as connection:
            return evaluations.leaderboard(connection)

    # -- series --------------------------------------------------------------------------------------

    def series(
        self,
        run_id: int,
        metric: str = "loss",
        buckets: int = 200,
        x: str = "images_seen",
        first: float | None = None,
        last: float | None = None,
    ) -> list[Bucket]:
        """A metric of a run in at most `buckets` columns over x (`images_seen`, `step` or `time` in
        seconds since 1970), all of it or what lies in [first, last]."""
        with self._database.reading() as connection:
            return series.buckets(connection, run_id, metric, buckets, x, first, last)

    def sparks(
        self, run_ids: Sequence[int], metric: str = "loss", buckets: int = 16
    ) -> dict[int, list[float]]:
        """A metric of many runs in a few values each, oldest first; runs without any are left out."""
        with self._database.reading() as connection:
            return series.sparks(connection, run_ids, metric, buckets)


def _filtered(query: Select[Any], asked: RunQuery) -> Select[Any]:
    for word in (files.as_text(asked.text) or "").casefold().split():
        state = case((run.c.waits_for.is_not(None), "queued"), else_=run.c.status)
        text = run.c.search + "\n" + state
        query = query.where(func.instr(text, word) > 0)
    return query.where(run.c.kind.in_(asked.kinds)) if asked.kinds else query


def _find(connection: Connection, reference: str) -> Sequence[Any] | None:
    text = files.as_text(reference) or ""
    rows = select(*ROW_COLUMNS)
    if text == "last":
        newest = rows.order_by(run.c.created_at.desc(), run.c.id.desc()).limit(1)
        return connection.execute(newest).first()
    digits = text.removeprefix("#")
    if digits.isascii() and digits.isdigit() and len(digits) < 10:
        row = connection.execute(rows.where(run.c.id == int(digits))).first()
        if row is not None:
            return row
    row = connection.execute(rows.where(run.c.name == text)).first()
    if row is not None or not text or digits.isdigit():  # a number that is none means no other run
        return row
    starting = rows.where(func.substr(run.c.name, 1, len(text)) == text).order_by(run.c.id.desc())
    candidates = connection.execute(starting.limit(50)).all()
    if len(candidates) > 1:
        names = ", ".join(row.name for row in candidates[:5])
        more = ", …" if len(candidates) > 5 else ""
        raise RunError(f"{text!r} is the start of several names: {names}{more}")
    return candidates[0] if candidates else None


def _not_found(connection: Connection, reference: str) -> str:
    import difflib  # here, as most references are right

    newest = select(run.c.name).order_by(run.c.id.desc()).limit(_NEAR_AMONG)
    names = list(connection.execute(newest).scalars())
    if not names:
        return f"there is no run {reference!r}: there are no runs yet"
    folded = {name.casefold(): name for name in reversed(names)}
    near = [folded[name] for name in difflib.get_close_matches(reference.casefold(), folded, 3, 0.6)]
    return f"there is no run {reference!r}" + (f"; did you mean {' or '.join(near)}?" if near else "")
