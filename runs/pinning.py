"""What a run begins with, kept in its own directory: the checkpoint it came from may go any time.

A training removes its older checkpoints as it works, and a person the whole run. A hard link costs no disk
as long as the checkpoint is there too, and keeps the weights when it is not.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddpm import averages, checkpoint, guides
from ddpm.config import Config
from runs.errors import RunError

FOLDER = "source"


class GoneError(RunError):
    """The checkpoint was removed while it was being taken."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run takes of a checkpoint."""

    files: tuple[str, ...]  #: of weights
    snapshots: bool = False  #: those of averages too, up to then
    guide: int | None = None  #: the step of the same run whose files, alike, are taken too

    @classmethod
    def by(cls, config: Config) -> Wanted:
        """What the configuration of a run draws with."""
        training, sampling = config.training, config.sampling
        files, made = averages.sources(training, sampling), averages.reconstructed(training, sampling)
        return cls(files, made, sampling.guide)


def pin(source: Path, run: Path, wanted: Wanted) -> None:
    """Make `run/source` a checkpoint of what is wanted of the checkpoint `source`.

    GoneError where that is not whole (any more), OSError where the run cannot be written.
    """
    _pin(source, run / FOLDER, wanted)
    if wanted.guide is not None:
        _pin(guides.folder_of(source, wanted.guide), run / FOLDER / guides.FOLDER, wanted)


def _pin(source: Path, target: Path, wanted: Wanted) -> None:
    try:
        saved = checkpoint.open_folder(source)
    except checkpoint.CheckpointError as error:
        raise GoneError(str(error)) from None
    for name in wanted.files:
        if name not in saved.state["files"]:
            raise RunError(f"{source}: the checkpoint has no {name}")
    target.mkdir()
    try:
        for name in wanted.files:
            _link(source / name, target / name)
    except FileNotFoundError:
        raise GoneError(f"{source}: the checkpoint has just been removed") from None
    if wanted.snapshots:
        beside = target / averages.FOLDER
        beside.mkdir()
        for path in averages.snapshots(source.parent.parent / averages.FOLDER, saved.step).values():
            _link(path, beside / path.name)
    state = {**saved.state, "files": {name: saved.state["files"][name] for name in wanted.files}}
    (target / checkpoint.STATE).write_text(json.dumps(state, indent=1), encoding="utf-8")


def source_of(run: Path, info: dict[str, Any]) -> Path | None:
    """The checkpoint that a run begins with: its own, or (of an older run) where run.json says."""
    if (run / FOLDER).is_dir():
        return run / FOLDER
    return Path(info["checkpoint"]) if info["checkpoint"] else None


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # another disk, a file system without links, another's file
        shutil.copyfile(source, target)
