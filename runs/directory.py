"""The run directory: the record of one run in plain files (docs/architecture.md lists them)."""

from __future__ import annotations

import errno
import fcntl
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runs import names
from runs.errors import RunError
from runs.home import Home
from runs.names import slug
from runs.supervisor import write_atomic

if TYPE_CHECKING:
    from ddpm.config import Config

__all__ = ["RunDirectory", "all", "infos", "slug", "suggest_name", "take_lock"]

FORMAT = 1
_IDENTITY: dict[str, type] = {"uuid": str, "id": int, "kind": str, "name": str, "created_at": str}


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """One run's directory. Everything is read afresh, as others may edit it meanwhile."""

    path: Path

    @property
    def info(self) -> dict[str, Any]:
        """`run.json`. RunError where it is missing or not one of ours."""
        return read_info(self.path)

    @property
    def id(self) -> int:
        return int(self.info["id"])

    @property
    def uuid(self) -> str:
        return str(self.info["uuid"])

    @property
    def name(self) -> str:
        return str(self.info["name"])

    @property
    def kind(self) -> str:
        """ "train" or "sample"."""
        return str(self.info["kind"])

    @property
    def config_text(self) -> str:
        """`config.toml`. RunError where it cannot be read."""
        path = self.path / "config.toml"
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RunError(f"{path} cannot be read: {_reason(error)}") from None

    @property
    def events_path(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def log_path(self) -> Path:
        return self.path / "log.txt"

    def config(self) -> Config:
        """The whole resolved configuration. ConfigError where it has been made invalid."""
        from ddpm import configfiles  # here, as most readers need no pydantic

        return configfiles.loads(self.config_text, str(self.path / "config.toml"))

    def write_config(self, config: Config) -> None:
        """Replace the configuration."""
        from ddpm import configfiles

        with told(self.path):
            write_atomic(self.path / "config.toml", configfiles.dumps(config))

    def edit(self, **changes: Any) -> None:
        """Change fields of `run.json`, others' changes at the same time kept."""
        with told(self.path), self._editing():
            info = {**self.info, **changes}
            write_atomic(self.path / "run.json", pretty(info))

    @contextmanager
    def _editing(self) -> Iterator[None]:
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def append_event(self, record: Mapping[str, Any], sync: bool = False) -> None:
        """Append one event as one line, in one write; what is not finite becomes null.

        A line torn by an earlier death is closed first, so that it alone is lost. Where the line does not
        fit (OSError: no space), nothing of it stays.
        """
        line = json.dumps(_finite(record), separators=(",", ":"), allow_nan=False, ensure_ascii=False)
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        descriptor = os.open(self.events_path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                data = b"\n" + data
            if os.write(descriptor, data) < len(data):
                os.ftruncate(descriptor, size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.events_path))
            if sync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    @classmethod
    def create(cls, home: Home, **identity: Any) -> RunDirectory:
        """A new run that nothing runs yet; takes what `runs.creation.create_locked` takes."""
        from runs.creation import create_locked

        run, lock = create_locked(home, **identity)
        os.close(lock)
        return run


def take_lock(path: Path) -> int:
    """The run's lock, exclusively and without waiting: a descriptor. BlockingIOError where it is held."""
    descriptor = os.open(path / "run.lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def all(home: Home) -> list[RunDirectory]:  # noqa: A001
    """Every run of a home by number; what is no run is passed over."""
    return [run for _, run in infos(home)]


def infos(home: Home) -> list[tuple[dict[str, Any], RunDirectory]]:
    """(run.json, directory) of every run of a home, by number."""
    found = []
    for entry in os.scandir(home.runs):
        if not entry.name.startswith("."):
            with suppress(RunError):
                found.append((read_info(Path(entry.path)), RunDirectory(Path(entry.path))))
    return sorted(found, key=lambda item: (item[0]["id"], item[1].path.name))


def suggest_name(home: Home, wanted: str) -> str:
    """`wanted` if no run has it, else the same with a number that makes it free."""
    return names.free_name(wanted, (info["name"] for info, _ in infos(home)))


def name_taken(name: str, taken: set[str]) -> RunError:
    return RunError(f"a run named {name!r} exists; {names.free_name(name, taken)!r} is free")


def read_info(path: Path) -> dict[str, Any]:
    """`run.json` of a directory, checked for what makes a run. RunError where it is not one."""
    file = path / "run.json"
    try:
        info = json.loads(file.read_bytes())
    except OSError as error:
        raise RunError(f"{path} is not a run: run.json cannot be read: {_reason(error)}") from None
    except ValueError:
        raise RunError(f"{path} is not a run: run.json is not JSON") from None
    if not isinstance(info, dict) or not isinstance(info.get("format"), int):
        raise RunError(f"{path} is not a run: run.json is not of this program")
    if info["format"] > FORMAT:
        raise RunError(f"{path} was made by a newer version of this program (format {info['format']})")
    for key, kind in _IDENTITY.items():
        if not isinstance(info.get(key), kind):
            raise RunError(f"{path} is not a run: run.json lacks {key!r}")
    return info


def pretty(info: Mapping[str, Any]) -> str:
    """The text of a `run.json`."""
    return json.dumps(info, indent=2, ensure_ascii=False) + "\n"


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


@contextmanager
def told(place: Path) -> Iterator[None]:
    """Failures of the disk as one line."""
    try:
        yield
    except OSError as error:
        raise RunError(f"{error.filename or place} cannot be written: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else "not UTF-8 text"
