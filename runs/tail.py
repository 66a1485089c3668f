"""Reads the events of runs from where the catalogue left off, and writes what follows.

Lines are read and parsed outside of any transaction; inside, the offset is looked at again. So two processes
that sync at once write every line once, and neither holds the write lock for longer than a batch takes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, select

from runs import derived, files, status, tables
from runs.database import Database
from runs.record import BATCH_LINES, Batch, Chunk, Progress, read_chunk
from runs.schema import record, run

#: What changed less than these seconds ago may change again without its modification time moving on.
_FRESH_SECONDS = 2.0
#: A lost run may be alive on another machine, where the file system does not share locks.
_OPEN = ("running", "lost")


@dataclass(frozen=True, slots=True)
class Entry:
    """A directory that has to be looked at closely."""

    directory: str
    path: Path
    mtime: int  #: of the directory in ns, before anything in it was read
    status: str


@dataclass(slots=True)
class _Part:
    """Some lines of a run, read but not yet written."""

    entry: Entry
    row: Row[Any]  #: of the run and its record, before this sync
    config: dict[str, Any]
    chunk: Chunk
    batch: Batch
    before: tuple[int, int | None]  #: offset and inode that the catalogue must have for these to be the next
    restart: bool


class Tail:
    """Brings some runs up to date, in transactions of about BATCH_LINES lines."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.changed = False
        self.skipped: list[tuple[str, str]] = []
        self._parts: list[_Part] = []
        self._lost: set[int] = set()  # runs that another process is reading: it goes on with them

    def read(self, entries: Sequence[Entry]) -> None:
        wanted = run.c.directory.in_([entry.directory for entry in entries])
        with self.database.reading() as connection:
            found = connection.execute(select(run, record).join(record).where(wanted))
            rows = {row.directory: row for row in found}
        lines = 0
        for entry in entries:
            if entry.directory not in rows:  # another process saw it go
                continue
            for part in self._read(entry, rows[entry.directory]):
                self._parts.append(part)
                lines += len(part.chunk.lines)
                if lines >= BATCH_LINES or part.chunk.full:
                    self._flush()
                    lines = 0
        self._flush()

    def _read(self, entry: Entry, row: Row[Any]) -> Iterator[_Part]:
        config = {}
        if row.config_stamp is None or files.stamp(entry.path / "config.toml") != row.config_stamp:
            config = derived.config_values(entry.path / "config.toml", row.kind)
        progress = Progress.load(row.progress)
        before = (row.events_offset, row.events_inode)
        full = True
        while full and row.id not in self._lost:
            try:
                chunk = read_chunk(entry.path / "events.jsonl", *before)
            except OSError as error:
                self.skipped.append((str(entry.path), f"events.jsonl: {error.strerror}"))
                return
            restart = chunk.start < before[0]
            batch = Batch(Progress() if restart else progress)
            for line in chunk.lines:
                batch.add(line)
            batch.progress.bad_lines += chunk.skipped
            yield _Part(entry, row, config, chunk, batch, before, restart)
            progress, before, full = batch.progress, (chunk.end, chunk.inode), chunk.full

    def _flush(self) -> None:
        parts = [(part, self._unchanged(part)) for part in self._parts]
        self._parts = []
        todo = [part for part, unchanged in parts if not unchanged]
        if not todo:
            return
        with self.database.writing() as connection:
            now = tables.offsets(connection, [part.row.id for part in todo])
            for part in todo:
                if now.get(part.row.id) != (part.row.uuid, *part.before):
                    self._lost.add(part.row.id)
                    self.changed = True
                else:
                    self._write(connection, part)

    def _unchanged(self, part: _Part) -> bool:
        """Whether nothing at all has to be written."""
        row, chunk = part.row, part.chunk
        read = bool(chunk.lines or chunk.skipped or part.restart or part.config)
        if read or chunk.inode != row.events_inode or row.status != part.entry.status:
            return False
        return self._settled(part) == row.settled and part.entry.status in _OPEN

    def _settled(self, part: _Part) -> int | None:
        """The directory's time, if nothing is going to change without changing it."""
        entry, old = part.entry, (time.time() - _FRESH_SECONDS) * 1e9
        quiet = entry.status not in _OPEN and not part.chunk.full
        return entry.mtime if quiet and max(entry.mtime, part.chunk.mtime) < old else None

    def _write(self, connection: Connection, part: _Part) -> None:
        row, entry, chunk, progress = part.row, part.entry, part.chunk, part.batch.progress
        first = part.before[0] == 0
        tables.write_batch(connection, row.id, part.batch, first=first, restart=part.restart)
        values, rest = derived.run_values(
            row.kind,
            entry.status,
            progress,
            planned_steps=part.config.get("planned_steps", row.planned_steps),
            requested_device=row.requested_device,
            exit_info={} if entry.status == "running" else status.exit_info(entry.path) or {},
            newest=tables.latest_metrics(connection, row.id),
        )
        values["settled"] = self._settled(part)
        rest |= part.config
        rest |= {"progress": progress.dump(), "events_offset": chunk.end, "events_inode": chunk.inode}
        if values["settled"] is not None:
            rest["bytes"] = files.disk_usage(entry.path)
        old = row._mapping
        differing = {key for key, value in (values | rest).items() if old[key] != value}
        if differing or chunk.lines:
            tables.save(connection, row.id, values, rest)
        self.changed |= bool(differing - {"settled", "bytes", "events_inode"})
