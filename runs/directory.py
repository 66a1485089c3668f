"""The run directory: the record of one run in plain files (docs/architecture.md lists them)."""

from __future__ import annotations

import errno
import fcntl
import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runs import files, names, runjson
from runs.errors import RunError
from runs.home import Home
from runs.names import slug
from runs.status import running
from runs.supervisor import write_atomic

if TYPE_CHECKING:
    from ddpm.config import Config

__all__ = ["RunDirectory", "all", "claim", "infos", "slug", "take_lock"]

#: How long `claim` waits for those who only look at a run to let go of its lock.
_PROBE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """One run's directory. Everything is read afresh, as others may edit it meanwhile."""

    path: Path

    @property
    def info(self) -> dict[str, Any]:
        """`run.json`, checked (`runs.runjson`). RunError where it is missing or not one of ours."""
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
        """ "train", "sample", "evaluate", "restore" or "likelihood"."""
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
            with _run_only(self.path):
                info = {**runjson.raw(self.path), **changes}
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


def claim(run: RunDirectory, refusal: str) -> int:
    """The lock of a run that does not run, as `take_lock` gives it. Who only looks is waited for.

    RunError, ending in `refusal`, where it runs, and where its directory cannot be written.
    """
    deadline = time.monotonic() + _PROBE_SECONDS
    while True:
        try:
            return take_lock(run.path)
        except BlockingIOError:
            if running(run.path) or time.monotonic() > deadline:
                raise RunError(f"{run.name} (#{run.id}) is running{refusal}") from None
        except OSError as error:
            raise RunError(f"{run.path} cannot be written: {error.strerror}") from None
        time.sleep(0.005)


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


def name_taken(name: str, taken: set[str]) -> RunError:
    return RunError(f"a run named {name!r} exists; {names.free_name(name, taken)!r} is free")


def read_info(path: Path) -> dict[str, Any]:
    """`run.json` of a directory as `runjson.read` gives it. RunError where it is not of a run."""
    with _run_only(path):
        return runjson.read(path)


@contextmanager
def _run_only(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunError(f"{path} is not a run: run.json cannot be read: {_reason(error)}") from None
    except files.UnreadableError as error:
        raise RunError(f"{path} is not a run of this program: {error}") from None


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
