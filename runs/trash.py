"""Removing runs: into the trash first, and from there for good. Links are never followed."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

from runs import files
from runs.directory import RunDirectory, claim
from runs.errors import RunError
from runs.home import Home


def move(home: Home, run: RunDirectory) -> int:
    """Move a run to the trash; its bytes. RunError for one that runs or lies elsewhere."""
    if run.path.parent.resolve() != home.runs.resolve():
        raise RunError(f"{run.path} is not a run of the home {home.path}")
    lock = claim(run, "; stop it first")  # held meanwhile, so that no one resumes what is on its way out
    try:
        trash = _folder(home)
        trash.mkdir(exist_ok=True)
        freed = size(run.path)
        run.path.rename(_free_place(trash, run.path.name))
    except OSError as error:
        raise RunError(f"{run.path} cannot be moved to the trash: {error.strerror}") from None
    finally:
        os.close(lock)
    return freed


def contents(home: Home) -> list[tuple[str, int]]:
    """(name, bytes) of everything in the trash, by name."""
    trash = _folder(home)
    if not trash.is_dir():
        return []
    return [(path.name, size(path)) for path in sorted(trash.iterdir())]


def purge(home: Home) -> int:
    """Empty the trash for good; the bytes that went. RunError for what stays, once all else is gone."""
    freed, stuck = 0, []
    for name, length in contents(home):
        path = home.trash / name
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
            freed += length
        except OSError as error:
            stuck.append(f"{error.filename or path}: {error.strerror}")
    if stuck:
        more = f" (and {len(stuck) - 1} more)" if len(stuck) > 1 else ""
        raise RunError(f"the trash could not be emptied: {stuck[0]}{more}")
    return freed


def size(path: Path) -> int:
    """Bytes of the files at and below a path. A link counts as itself; what vanishes meanwhile as 0."""
    try:
        if path.is_symlink() or not path.is_dir():
            return files.share(path.lstat())
        return sum(_size_of(entry) for entry in os.scandir(path))
    except FileNotFoundError:
        return 0


def _size_of(entry: os.DirEntry[str]) -> int:
    try:
        if entry.is_dir(follow_symlinks=False):
            return size(Path(entry.path))
        return files.share(entry.stat(follow_symlinks=False))
    except FileNotFoundError:
        return 0


def _folder(home: Home) -> Path:
    if home.trash.is_symlink():
        raise RunError(f"{home.trash} is a link; the trash must be a folder of the home itself")
    return home.trash


def _free_place(trash: Path, name: str) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    place, number = trash / f"{name}-{stamp}", 1
    while place.exists():
        number += 1
        place = trash / f"{name}-{stamp}-{number}"
    return place
