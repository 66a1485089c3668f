"""Files that are there whole or not at all: written aside, then moved to their place in one step."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Of folders that are being filled, and the seconds after which nobody can be at it any more.
_FILLING, _LONG_AGO = ".filling-", 24 * 3600


@contextmanager
def replacing(path: Path, *, synced: bool = False) -> Iterator[Path]:
    """A name beside `path` to write to; it takes the place of `path` when the block ends, else it is removed.

    synced: only after its content has reached the disk, so that a power cut leaves the old file or the new.
    A process that is killed leaves the file aside behind: see `sweep`.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield aside
        if synced:
            sync(aside)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to fill; what it holds lies in `path`, which may be an empty folder, when the block ends, else
    nothing is left of it.

    A new folder is there whole or not at all. An empty one that is there already may be a mounted disk or
    where somebody stands: it stays, and what is for it is moved in piece by piece, each whole. What lies in a
    folder is never written over: OSError.
    """
    path = path.resolve()
    inside = path.is_dir()
    place = path if inside else path.parent
    place.mkdir(parents=True, exist_ok=True)
    sweep_folders(place, _FILLING)
    aside = place / f"{_FILLING}{os.getpid()}.tmp"
    aside.mkdir()
    try:
        yield aside
        for file in aside.rglob("*"):
            sync(file)
        sync(aside)
        if inside:
            _move_into(path, aside)
        else:
            _rename(aside, path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _move_into(path: Path, aside: Path) -> None:
    """All that is in `aside`, which is in `path`, goes there. OSError where anything else came there."""
    if len(list(path.iterdir())) > 1:
        raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), str(path))
    for entry in sorted(aside.iterdir()):
        entry.rename(path / entry.name)
    sync(path)


def _rename(aside: Path, path: Path) -> None:
    """OSError of the folder that somebody has filled meanwhile, not of one that nobody knows of."""
    try:
        aside.rename(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def sweep_folders(place: Path, start: str) -> None:
    """Removes what killed processes left of folders that they filled in `place`, whose names begin so."""
    for left in place.glob(f"{start}*"):
        if time.time() - left.stat().st_mtime > _LONG_AGO:
            shutil.rmtree(left, ignore_errors=True)


def sweep(folder: Path, start: str) -> None:
    """Removes what killed processes left aside of files whose names begin so. For whoever has locked them:
    what another process is writing just now would go too."""
    for path in list(folder.iterdir()):
        if path.name.startswith(f".{start}") and path.name.endswith(".tmp"):
            path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """See that a file, or the names in a folder, have reached the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
