"""Making a run directory: at once and whole, under a number and a name that no other has."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runs import names, pinning, provenance, runjson
from runs.directory import RunDirectory, infos, name_taken, pretty, take_lock, told
from runs.home import Home
from runs.supervisor import utc_now, write_atomic

if TYPE_CHECKING:
    from ddpm.config import Config


def create_locked(
    home: Home,
    *,
    kind: str,
    config: Config,
    name: str | None,
    stem: str = "run",
    preset: str | None = None,
    tags: Sequence[str] = (),
    notes: str = "",
    device: str = "auto",
    parent: Mapping[str, Any] | None = None,
    checkpoint: Path | None = None,
    out: Path | None = None,
    data_root: Path | None = None,
    inception: Path | None = None,
    command: Sequence[str] = (),
    after: Path | None = None,
    take: pinning.Wanted | None = None,
    inputs: Sequence[str] = (),
    imported: Mapping[str, Any] | None = None,
    fill: Callable[[Path], None] = lambda _: None,
) -> tuple[RunDirectory, int]:
    """A new run, and its lock held (a descriptor, the caller's to close): it is never seen as lost.

    Without a name it is called `stem-N`. It waits for the run in `after`. The directory appears at once and
    whole, under the next number above all that this home has, with what it is to `take` of `checkpoint`
    pinned in it, and whatever `fill` adds to it; `imported` says, as part of its origin, what it was made
    of. RunError for a bad or taken name, and where nothing can be written.
    """
    from ddpm import configfiles

    wanted = None if name is None else names.check_name(name)
    seeds = {
        "train": config.training.seed,
        "restore": config.restoration.seed,
        "likelihood": config.likelihood.seed,
    }
    seed = seeds.get(kind, config.sampling.seed)
    info = {
        "format": runjson.FORMAT,
        "uuid": str(uuid.uuid4()),
        "id": 0,
        "kind": kind,
        "name": "",
        "preset": preset,
        "tags": names.check_tags(tags),
        "notes": names.check_notes(notes),
        "created_at": utc_now()[:-5] + "Z",  # whole seconds are enough for a person
        "device": device,
        "data_root": data_root and str(data_root),
        "weights": inception and str(inception),
        "out": out and str(out),
        "inputs": list(inputs),
        "after": after and after.name,
        "parent": dict(parent) if parent else None,
        "checkpoint": checkpoint and str(checkpoint),
        "command": list(command),
        "provenance": provenance.collect(seed=seed, device=device)
        | ({"imported": dict(imported)} if imported else {}),
    }
    with told(home.path), home.locked():
        _sweep(home)
        others = [other for other, _ in infos(home)]
        taken = {other["name"] for other in others}
        if wanted is not None and wanted in taken:
            raise name_taken(wanted, taken)
        info["name"] = wanted or names.numbered(stem, taken)
        info["id"] = _highest_number(home, (other["id"] for other in others)) + 1
        return _build(home, info, configfiles.dumps(config), take, fill)


def check_free(home: Home, name: str) -> None:
    """RunError, with a name that is free, where a run of the home has this one."""
    taken = {other["name"] for other, _ in infos(home)}
    if name in taken:
        raise name_taken(name, taken)


def _build(
    home: Home,
    info: dict[str, Any],
    config_text: str,
    take: pinning.Wanted | None,
    fill: Callable[[Path], None],
) -> tuple[RunDirectory, int]:
    hidden = home.runs / f".new-{secrets.token_hex(4)}"
    final = home.runs / f"{info['id']:04d}-{names.slug(info['name'])}"
    lock = -1
    try:
        hidden.mkdir()
        (hidden / "config.toml").write_text(config_text, encoding="utf-8")
        (hidden / "events.jsonl").touch()
        (hidden / "log.txt").touch()
        if take is not None:
            pinning.pin(Path(info["checkpoint"]), hidden, take)
        fill(hidden)
        write_atomic(hidden / "run.json", pretty(info))
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


def _highest_number(home: Home, known: Iterable[int]) -> int:
    """Of runs, which may have been renumbered, and of directories, those in the trash too."""
    highest = max(known, default=0)
    for folder in (home.runs, home.trash):
        for entry in os.scandir(folder) if folder.is_dir() else ():
            match = re.match(r"(\d{1,9})-", entry.name)
            highest = max(highest, int(match[1]) if match else 0)
    return highest
