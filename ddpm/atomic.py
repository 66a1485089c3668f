"""Files that are there whole or not at all: written aside, then moved to their place in one step."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
    """A folder beside `path` to fill; it takes the place of `path`, which may be an empty folder, when the
    block ends, else it is removed. What lies in a folder is never written over: OSError.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    aside.mkdir()
    try:
        yield aside
        for file in aside.rglob("*"):
            sync(file)
        sync(aside)
        aside.rename(path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


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
