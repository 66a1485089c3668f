"""The catalogue's file: opened, brought up to date, and put aside when it is not ours or damaged.

Everyone reads and writes through `Database.reading` and `Database.writing`, so that transactions begin the
same way everywhere and whatever SQLite has to say reaches a person as one line.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, create_engine, event, exc

from runs import ladder, schema
from runs.errors import RunError, UnwritableError

#: Milliseconds that a writer waits for another.
BUSY_TIMEOUT = 20_000

#: SQLite's write-ahead log needs memory shared between all users of the file; these cannot give it.
_SHARED_FILE_SYSTEMS = (
    *("nfs", "lustre", "gpfs", "fuse", "cifs", "smb", "9p", "afs", "beegfs", "ceph", "glusterfs"),
    *("virtiofs", "orangefs", "pvfs", "ncpfs", "davfs", "panfs", "wekafs"),
)


#: In place of a path: a catalogue of this process alone, for one thread.
MEMORY = Path(":memory:")


class _ForeignFileError(Exception):
    """The file is a database, but not of this program."""


class _DamagedError(Exception):
    """Some of the file's pages are not what was written."""


class Database:
    """An open catalogue file, for any number of threads; `notice` tells of an old one that was put aside."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notice: str | None = None
        self._journal = "memory" if path == MEMORY else "delete" if on_shared_file_system(path) else "wal"
        try:
            self._open()
        except (exc.DatabaseError, _ForeignFileError) as error:
            if isinstance(error, exc.OperationalError):  # busy, full, not writable: nothing wrong with it
                raise as_run_error(path, error) from None
            self.notice = self._put_aside(error)
            with told(path):
                self._open()

    def _open(self) -> None:
        self._engine = create_engine(
            URL.create("sqlite", database=str(self.path)),  # as it is: "?" and "%" are characters like others
            connect_args={"timeout": BUSY_TIMEOUT / 1000},
        )
        event.listen(self._engine, "connect", self._prepare)
        event.listen(self._engine, "begin", _begin)
        self._writer = self._engine.execution_options(immediate=True)
        try:
            self._migrate()
        except BaseException:
            self._engine.dispose()
            raise

    def _prepare(self, connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None  # transactions begin where `_begin` says, not by guess
        for pragma in (
            f"busy_timeout = {BUSY_TIMEOUT}",
            "foreign_keys = ON",
            "synchronous = NORMAL",  # a lost last transaction is read again from the record
            "temp_store = MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}")

    def _migrate(self) -> None:
        with self._engine.begin() as connection:
            if self._current(connection) and _pragma(connection, "journal_mode") == self._journal:
                return
        with self.watch() as connection:  # SQLite does this outside of transactions only
            connection.exec_driver_sql(f"PRAGMA journal_mode = {self._journal}")
        with self._writer.begin() as connection:
            if self._current(connection):  # another process was first
                return
            version = int(_pragma(connection, "user_version"))
            if version:
                ladder.climb(connection, version)
            else:
                schema.metadata.create_all(connection, checkfirst=False)
            connection.exec_driver_sql(f"PRAGMA application_id = {schema.APPLICATION_ID}")
            connection.exec_driver_sql(f"PRAGMA user_version = {schema.VERSION}")

    def _current(self, connection: Connection) -> bool:
        """Whether the tables are today's. RunError for a newer file, _ForeignFileError for another's."""
        version = _pragma(connection, "user_version")
        owner = _pragma(connection, "application_id")
        if owner != schema.APPLICATION_ID:
            count = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
            if count or version or owner:
                raise _ForeignFileError
        if version > schema.VERSION:
            raise RunError(
                f"{self.path} was written by a newer version of this program "
                f"(format {version}, this one knows {schema.VERSION}): update, or move the file away"
            )
        return version == schema.VERSION

    def sound(self) -> bool:
        """Whether the file's pages are what SQLite wrote, all of them looked at."""
        try:
            with self._engine.begin() as connection:
                return bool(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one() == "ok")
        except exc.OperationalError as error:  # busy, say
            raise as_run_error(self.path, error) from None
        except exc.DatabaseError:
            return False

    def renew(self) -> None:
        """Put the damaged file aside and begin a new one, empty."""
        self._engine.dispose()
        self.notice = self._put_aside(_DamagedError())
        with told(self.path):
            self._open()

    def _put_aside(self, error: Exception) -> str:
        """Rename the file and what SQLite keeps beside it; what to tell about it."""
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.aside-{number}")).exists():
            number += 1
        with suppress(FileNotFoundError):  # another process may have put it aside just now
            self.path.rename(aside)
        for ending in ("-wal", "-shm", "-journal"):
            with suppress(FileNotFoundError):
                Path(f"{self.path}{ending}").rename(f"{aside}{ending}")
        what = "is not a catalogue" if isinstance(error, _ForeignFileError) else "was damaged"
        return f"{self.path} {what}: put aside as {aside.name} and rebuilt from the run directories"

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the catalogue."""
        with told(self.path), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that holds the write lock from its beginning."""
        with told(self.path), self._writer.begin() as connection:
            yield connection

    def watch(self) -> Connection:
        """A connection of one's own, outside of transactions; the caller closes it."""
        return self._engine.connect().execution_options(watch=True)

    def close(self) -> None:
        self._engine.dispose()


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get("watch"):
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("immediate") else "BEGIN")


def _pragma(connection: Connection, name: str) -> Any:
    return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()


@contextmanager
def told(path: Path) -> Iterator[None]:
    """What SQLite refuses, as one line."""
    try:
        yield
    except exc.DatabaseError as error:
        raise as_run_error(path, error) from error


def as_run_error(path: Path, error: exc.DatabaseError) -> RunError:
    reason = str(error.orig)
    if "locked" in reason or "busy" in reason:
        return RunError(f"{path} is busy: another process has been writing it for long; try again")
    if "full" in reason:
        return UnwritableError(f"{path} cannot be written: no space left on its disk")
    if any(word in reason for word in ("readonly", "unable to open", "disk I/O error")):
        return UnwritableError(f"{path} cannot be written: {reason}")
    if "malformed" in reason or "not a database" in reason:
        return RunError(f"{path} is damaged ({reason}): rebuild it with ddpm-tui reindex, nothing is lost")
    return RunError(f"{path} cannot be used: {reason}")


def on_shared_file_system(path: Path) -> bool:
    """Whether a file lies (or would lie) on a network or user-space file system."""
    folder = os.path.realpath(path.parent)
    best, kind = "", ""
    for mount, name in _mounts():
        inside = folder == mount or folder.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, name
    return kind.lower().startswith(_SHARED_FILE_SYSTEMS)


def _mounts() -> list[tuple[str, str]]:
    """(mount point, file system) of all mounts; the later of two at one place hides the earlier."""
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        import psutil  # here, as Linux answers without it

        return [(part.mountpoint, part.fstype) for part in psutil.disk_partitions(all=True)]
    fields = [line.split(" ") for line in lines]
    # Blanks and the like are written as octal escapes: "/mnt/my\040disk".
    return [(f[1].encode().decode("unicode_escape"), f[2]) for f in fields if len(f) > 2]
