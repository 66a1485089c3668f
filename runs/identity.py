"""Which run is which: numbers, names and UUIDs of run directories, also of those copied in.

The UUID in run.json is a run's identity. A directory whose UUID, number or name another run already has is
given free ones, and told so in its run.json; who keeps them depends only on what is known and on the
directories, not on the order in which the file system lists them.
"""

from __future__ import annotations

import functools
import itertools
import re
import uuid
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runs import files
from runs.home import Home

_NAMESPACE = uuid.UUID("8b0c5a53-1f0e-4f0b-9a35-0c1f4f9f8d21")


@dataclass(frozen=True, slots=True)
class Known:
    """A run that the catalogue has."""

    id: int
    uuid: str
    name: str
    directory: str


@dataclass(slots=True)
class Found:
    """A run directory that is new or whose run.json changed. `id`, `uuid` and `name` end up as its own."""

    directory: str
    path: Path
    stamp: str
    status: str
    info: dict[str, Any]  #: run.json, checked by `runjson.read`
    id: int
    uuid: str
    name: str
    current: Known | None = None

    @property
    def renamed(self) -> bool:
        """Whether run.json says something else."""
        return (self.id, self.uuid, self.name) != tuple(self.info[key] for key in ("id", "uuid", "name"))

    def write_back(self) -> None:
        """Tell run.json; where it cannot be written, the catalogue alone knows."""
        from runs.directory import RunDirectory
        from runs.errors import RunError

        with suppress(RunError):
            RunDirectory(self.path).edit(id=self.id, uuid=self.uuid, name=self.name)
            self.stamp = files.stamp(self.path / "run.json") or self.stamp


def settle(home: Home, known: Sequence[Known], found: Sequence[Found], present: Set[str]) -> list[Known]:
    """Give each of `found` its `current`, `id`, `uuid` and `name`. Returns the known runs that are gone.

    `known` is all that the catalogue has, `present` the names of all directories that hold a run.
    """
    by_directory = {run.directory: run for run in known}
    away = {run.uuid: run for run in known if run.directory not in present}
    found = sorted(found, key=lambda item: (not _rightful(item), item.directory))
    for item in found:
        mine = by_directory.get(item.directory)
        if mine is not None and mine.uuid not in (item.uuid, _copy_of(item.uuid, item.directory)):
            mine = None  # another run stands there now
        item.current = mine or away.pop(item.uuid, None)
    kept = {item.current.id for item in found if item.current}
    here = {item.directory for item in found}
    gone = [r for r in known if r.id not in kept and (r.uuid in away or r.directory in here)]
    resting = [r for r in known if r.id not in kept and r not in gone]
    _claim(found, "uuid", {r.uuid for r in resting}, _free_uuid)
    _claim(found, "id", {0, *(r.id for r in resting)}, _free_id(home, known, found))  # 0: none that is usable
    wanted = {item.name for item in found}

    def free_name(item: Found, taken: set[Any]) -> str:
        from runs import names  # here, as names hardly ever clash

        return names.free_name(item.name, taken | wanted)

    _claim(found, "name", {r.name for r in resting}, free_name)
    return gone


def _rightful(item: Found) -> bool:
    return item.directory.startswith(f"{item.id:04d}-")


def _claim(found: Sequence[Found], key: str, taken: set[Any], free: Callable[[Found, set[Any]], Any]) -> None:
    """Everyone gets the value wanted, first those who have it; else the one they have; else a free one."""
    holds = {item.directory: item.current and getattr(item.current, key) for item in found}
    left = []
    for item in sorted(found, key=lambda item: holds[item.directory] != getattr(item, key)):
        if getattr(item, key) in taken:
            left.append(item)
        taken.add(getattr(item, key))
    for item in left:
        held = holds[item.directory]
        value = held if held is not None and held not in taken else free(item, taken)
        setattr(item, key, value)
        taken.add(value)


def _copy_of(original: str, directory: str) -> str:
    """A UUID for a copy that is the same whenever it is asked for, as run.json may not be writable."""
    return str(uuid.uuid5(_NAMESPACE, f"{original}/{directory}"))


def _free_uuid(item: Found, taken: set[Any]) -> str:
    found = _copy_of(item.uuid, item.directory)
    while found in taken:
        found = _copy_of(found, item.directory)
    return found


def _free_id(home: Home, known: Sequence[Known], found: Sequence[Found]) -> Callable[[Found, set[Any]], int]:
    """Numbers above all that any run has, in the trash too, as a new run's is chosen."""

    @functools.cache
    def numbers() -> Iterator[int]:
        return itertools.count(1 + max([*(r.id for r in known), *(f.id for f in found), *_numbers(home)]))

    return lambda item, taken: next(numbers())


def _numbers(home: Home) -> list[int]:
    matches = []
    for folder in (home.runs, home.trash):
        with suppress(FileNotFoundError):
            matches += [re.match(r"(\d{1,9})-", entry.name) for entry in folder.iterdir()]
    return [int(match[1]) for match in matches if match]
