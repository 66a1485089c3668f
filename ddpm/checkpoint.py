"""Checkpoint folders: written whole or not at all, verified before they are read, data and never code.

    checkpoints/00010000/   model.safetensors ema.safetensors training_state.safetensors state.json

`state.json` says what is inside, with the length and SHA-256 of every file. No torch here: listing and
choosing checkpoints must stay cheap.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddpm import atomic
from ddpm.errors import EngineError

FORMAT = 1
STATE = "state.json"
MODEL, EMA, TRAINING = "model.safetensors", "ema.safetensors", "training_state.safetensors"


class CheckpointError(EngineError):
    """A checkpoint that cannot be read, or could not be written."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint whose files are all there with the lengths that state.json tells."""

    path: Path
    state: dict[str, Any]

    @property
    def step(self) -> int:
        return int(self.state["step"])

    @property
    def images_seen(self) -> int:
        return int(self.state["images_seen"])

    @property
    def size(self) -> int:
        """In bytes, without state.json."""
        return sum(int(f["bytes"]) for f in self.state["files"].values())

    def read(self, name: str) -> bytes:
        """The content of one file, its SHA-256 checked."""
        entry = self.state["files"].get(name)
        if entry is None:
            alone = set(self.state["files"]) == {EMA}
            only = " (an average of the weights is all that it has)" if alone else ""
            raise CheckpointError(f"{self.path}: the checkpoint has no {name}{only}")
        try:
            data = (self.path / name).read_bytes()
        except OSError as error:
            raise CheckpointError(f"{self.path / name}: cannot be read: {error.strerror}") from None
        if hashlib.sha256(data).hexdigest() != entry["sha256"]:
            raise CheckpointError(f"{self.path / name}: damaged: its content is not what was written")
        return data


def folder(directory: Path, step: int) -> Path:
    """Where a run's checkpoint of `step` lies."""
    return directory / "checkpoints" / f"{step:08d}"


def steps(directory: Path) -> list[int]:
    """Steps of the whole checkpoints of a run, ascending."""
    return [c.step for c in whole(directory)]


def whole(directory: Path) -> list[Checkpoint]:
    """The checkpoints of a run with all their files at full length, by step; contents are not read yet."""
    return [c for c in _all(directory) if isinstance(c, Checkpoint)]


def torn(directory: Path) -> list[CheckpointError]:
    """What is wrong with those that are not whole, by step."""
    return [c for c in _all(directory) if isinstance(c, CheckpointError)]


def _all(directory: Path) -> Iterator[Checkpoint | CheckpointError]:
    parent = directory / "checkpoints"
    names = [p.name for p in parent.iterdir()] if parent.is_dir() else []
    for name in sorted((n for n in names if n.isdigit()), key=int):
        try:
            yield open_folder(parent / name)
        except CheckpointError as error:
            yield error


def open_folder(path: Path) -> Checkpoint:
    """The checkpoint in `path`, its file lengths checked; CheckpointError names what is wrong."""
    try:
        state = json.loads((path / STATE).read_text(encoding="utf-8"))
        files = {str(n): int(f["bytes"]) for n, f in state["files"].items()}
        known = state["format"], state["step"], state["images_seen"]
        if any(type(number) is not int for number in known) or min(known) < 0:
            raise ValueError(state)
        if not all(isinstance(f["sha256"], str) for f in state["files"].values()):
            raise ValueError(state)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: not a whole checkpoint: {STATE} is missing") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise CheckpointError(f"{path}: {STATE} is damaged") from None
    if known[0] > FORMAT:
        raise CheckpointError(f"{path}: written by a newer version (format {known[0]})")
    for name, length in files.items():
        if Path(name).name != name:
            raise CheckpointError(f"{path}: {STATE} names a file outside of the checkpoint")
        try:
            present = (path / name).stat().st_size
        except (OSError, ValueError):
            raise CheckpointError(f"{path}: {name} is missing") from None
        if present != length:
            raise CheckpointError(f"{path}: {name} is cut short: {present} of {length} bytes")
    return Checkpoint(path, state)


def write(directory: Path, blobs: Mapping[str, bytes], state: Mapping[str, Any]) -> Checkpoint:
    """Writes a checkpoint beside its final place, syncs it and moves it there in one step.

    Takes the place of a torn folder of the same step. A full disk leaves nothing behind and raises
    CheckpointError with what was needed.
    """
    target = folder(directory, int(state["step"]))
    files = {n: {"bytes": len(b), "sha256": hashlib.sha256(b).hexdigest()} for n, b in blobs.items()}
    content = {"format": FORMAT, **state, "files": files}
    draft = target.with_name(f".{target.name}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for leftover in target.parent.glob(".*.tmp"):  # of a write or a removal that was killed
            shutil.rmtree(leftover, ignore_errors=True)
        draft.mkdir()
        for name, blob in blobs.items():
            _write_synced(draft / name, blob)
        _write_synced(draft / STATE, json.dumps(content, indent=1).encode())
        atomic.sync(draft)
        if target.exists():
            shutil.rmtree(target)
        draft.rename(target)
        atomic.sync(target.parent)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise CheckpointError(_write_failure(error, target, sum(map(len, blobs.values())))) from error
    return Checkpoint(target, content)


def remove(checkpoint: Checkpoint) -> None:
    """Removes a checkpoint; it is gone at once, however long the removal takes."""
    draft = checkpoint.path.with_name(f".{checkpoint.path.name}.tmp")
    shutil.rmtree(draft, ignore_errors=True)
    checkpoint.path.rename(draft)
    shutil.rmtree(draft, ignore_errors=True)


def put_aside(checkpoint: Checkpoint) -> None:
    """Renames a checkpoint whose content proved damaged, so that another can take its place."""
    aside = checkpoint.path.with_name(f".{checkpoint.path.name}.damaged")
    shutil.rmtree(aside, ignore_errors=True)
    checkpoint.path.rename(aside)


def any_put_aside(directory: Path) -> bool:
    """Whether a run has lost a checkpoint to damage."""
    return any((directory / "checkpoints").glob(".*.damaged"))


def outdated(checkpoints: list[Checkpoint], keep: int) -> list[Checkpoint]:
    """Those that may go: neither a milestone nor among the last `keep` of those that are none."""
    passing = [c for c in checkpoints if not c.state.get("milestone")]
    return passing[:-keep]


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _write_failure(error: OSError, target: Path, needed: int) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return (
            f"disk full: checkpoint {target.name} of {needed / 1e6:.1f} MB did not fit; "
            "the one before is untouched: make room and resume"
        )
    return f"checkpoint {target.name} could not be written: {error.strerror or error}"
