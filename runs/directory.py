"""The run directory: the record of one run in plain files (docs/architecture.md lists them)."""

from __future__ import annotations

import errno
import fcntl
import json
import math
import os
import re
import secrets
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runs import names
from runs.errors import RunError
from runs.home import Home
from runs.names import slug
from runs.supervisor import utc_now, write_atomic

if TYPE_CHECKING:
    from ddpm.config import Config

__all__ = ["RunDirectory", "all", "create_locked", "slug", "suggest_name", "take_lock"]

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

        with _told(self.path):
            write_atomic(self.path / "config.toml", configfiles.dumps(config))

    def edit(self, **changes: Any) -> None:
        """Change fields of `run.json`, others' changes at the same time kept."""
        with _told(self.path), self._editing():
            info = {**self.info, **changes}
            write_atomic(self.path / "run.json", _pretty(info))

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

        A line torn by an earlier death is closed first, so that it alone is lost. OSError (no space)
        where the line does not fit.
        """
        line = json.dumps(_finite(record), separators=(",", ":"), allow_nan=False, ensure_ascii=False)
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        descriptor = os.open(self.events_path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                data = b"\n" + data
            if os.write(descriptor, data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.events_path))
            if sync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    @classmethod
    def create(cls, home: Home, **identity: Any) -> RunDirectory:
        """A new run that nothing runs yet; takes what `create_locked` takes."""
        run, lock = create_locked(home, **identity)
        os.close(lock)
        return run


def create_locked(
    home: Home,
    *,
    kind: str,
    config: Config,
    name: str | None,
    stem: str = "run",
    preset: str | None = None,
    tags: Sequence[str] = (),
    device: str = "auto",
    parent: Mapping[str, Any] | None = None,
    checkpoint: Path | None = None,
    out: Path | None = None,
    data_root: Path | None = None,
    command: Sequence[str] = (),
) -> tuple[RunDirectory, int]:
    """A new run, and its lock held (a descriptor, the caller's to close): it is never seen as lost.

    Without a name it is called `stem-N`. The directory appears at once and whole, under the next number
    above all that this home has. RunError for a bad or taken name, and where nothing can be written.
    """
    from ddpm import configfiles
    from runs import provenance

    wanted = None if name is None else names.check_name(name)
    seed = config.sampling.seed if kind == "sample" else config.training.seed
    info = {
        "format": FORMAT,
        "uuid": str(uuid.uuid4()),
        "id": 0,
        "kind": kind,
        "name": "",
        "preset": preset,
        "tags": names.check_tags(tags),
        "notes": "",
        "created_at": utc_now()[:-5] + "Z",  # whole seconds are enough for a person
        "device": device,
        "data_root": data_root and str(data_root),
        "out": out and str(out),
        "parent": dict(parent) if parent else None,
        "checkpoint": checkpoint and str(checkpoint),
        "command": list(command),
        "provenance": provenance.collect(seed=seed, device=device),
    }
    with _told(home.path), home.locked():
        _sweep(home)
        taken = {run.name for run in all(home)}
        if wanted in taken:
            raise name_taken(wanted, taken)
        info["name"] = wanted or names.numbered(stem, taken)
        info["id"] = _highest_number(home) + 1
        return _build(home, info, configfiles.dumps(config))


def _build(home: Home, info: dict[str, Any], config_text: str) -> tuple[RunDirectory, int]:
    hidden = home.runs / f".new-{secrets.token_hex(4)}"
    final = home.runs / f"{info['id']:04d}-{slug(info['name'])}"
    lock = -1
    try:
        hidden.mkdir()
        (hidden / "config.toml").write_text(config_text, encoding="utf-8")
        (hidden / "events.jsonl").touch()
        (hidden / "log.txt").touch()
        write_atomic(hidden / "run.json", _pretty(info))
        lock = take_lock(hidden)
        hidden.rename(final)
    except BaseException:
        if lock >= 0:
            os.close(lock)
        shutil.rmtree(hidden, ignore_errors=True)
        raise
    return RunDirectory(final), lock


def _sweep(home: Home) -> None:
    """Remove what a creation that was killed left behind; call with the home locked."""
    for path in home.runs.glob(".new-*"):
        shutil.rmtree(path, ignore_errors=True)


def _highest_number(home: Home) -> int:
    """Of directories (also in the trash) and of runs that were renumbered."""
    highest = 0
    for folder in (home.runs, home.trash):
        for entry in os.scandir(folder) if folder.is_dir() else ():
            match = re.match(r"(\d{1,9})-", entry.name)
            highest = max(highest, int(match[1]) if match else 0)
    return max([highest, *(run.id for run in all(home))])


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
    found = []
    for entry in os.scandir(home.runs):
        if entry.name.startswith("."):
            continue
        try:
            info = read_info(Path(entry.path))
        except RunError:
            continue
        found.append((info["id"], entry.name, RunDirectory(Path(entry.path))))
    return [run for _, _, run in sorted(found, key=lambda item: item[:2])]


def suggest_name(home: Home, wanted: str) -> str:
    """`wanted` if no run has it, else the same with a number that makes it free."""
    return names.free_name(wanted, (run.name for run in all(home)))


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


def _pretty(info: Mapping[str, Any]) -> str:
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
def _told(place: Path) -> Iterator[None]:
    """Failures of the disk as one line."""
    try:
        yield
    except OSError as error:
        raise RunError(f"{error.filename or place} cannot be written: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else "not UTF-8 text"
