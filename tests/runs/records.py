"""Run directories written by hand, for tests of what reads them."""

from __future__ import annotations

import fcntl
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import select

from runs.database import Database
from runs.home import Home
from runs.schema import metadata

TIME = "2026-11-23T10:00:00Z"
CONFIG = '[data]\ndataset = "digits"\n\n[training]\nsteps = 1000\n\n[sampling]\ncount = 64\n'


def make_home(path: Path) -> Home:
    home = Home(path)
    home.runs.mkdir(parents=True)
    return home


def make_run(
    home: Home, number: int, name: str = "", *, directory: str | None = None, **changes: Any
) -> Path:
    """A run directory; `changes` go into run.json (None takes a key out)."""
    name = name or f"run-{number}"
    path = home.runs / (directory or f"{number:04d}-{name}")
    path.mkdir()
    info = {
        "format": 1,
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{number}/{name}")),
        "id": number,
        "kind": "train",
        "name": name,
        "preset": "digits",
        "tags": [],
        "notes": "",
        "created_at": f"2026-11-{1 + number % 28:02d}T10:00:00Z",
        "device": "auto",
        "parent": None,
        "command": ["ddpm-tui", "train", "digits"],
        "provenance": {"host": "box", "seed": 0},
    } | changes
    (path / "config.toml").write_text(CONFIG)
    (path / "events.jsonl").touch()
    (path / "run.json").write_text(json.dumps(info))
    return path


def event(kind: str, time: str = TIME, **values: Any) -> dict[str, Any]:
    return {"event": kind, "time": time, **values}


def started(step: int = 0, **values: Any) -> dict[str, Any]:
    known = {"images_seen": step * 8, "total_steps": 1000, "device": "cpu", "device_name": "a CPU"}
    known |= {"precision": "float32", "parameters": 1234, "dataset": "digits", "dataset_size": 1797}
    return event("started", **{"step": step, **known, **values})


def metrics(step: int, loss: Any = 0.5, **values: Any) -> dict[str, Any]:
    known = {"images_seen": step * 8, "loss": loss, "learning_rate": 1e-3}
    return event(
        "metrics", **{"step": step, **known, "gradient_norm": 0.25, "images_per_second": 100.0, **values}
    )


def checkpoint(step: int, **values: Any) -> dict[str, Any]:
    known = {"images_seen": step * 8, "path": f"checkpoints/{step:08d}", "bytes": 1000, "milestone": False}
    return event("checkpoint_written", **{"step": step, **known, **values})


def samples(step: int, **values: Any) -> dict[str, Any]:
    known = {"images_seen": step * 8, "path": f"samples/{step:08d}.png", "count": 16, "seed": 0}
    return event(
        "samples_written", **{"step": step, **known, "sampler": "ddim", "sampler_steps": 50, **values}
    )


def protocol(**changes: Any) -> dict[str, Any]:
    """What a score of the digits' training says it was measured by."""
    return {
        "features": {"network": "inception-2015-12-05", "weights": "b4" * 32, "convention": "tensorflow"},
        "reference": {
            **{"dataset": "digits", "split": "train", "shape": [1, 8, 8]},
            **{"images": 1797, "data": "d1"},
        },
        "samples": 64,
        "sampling": {
            **{"sampler": "ddim", "steps": 50, "spacing": "uniform", "eta": 0.0},
            **{"weights": "ema", "ema_decay": 0.99},
        },
        "companions": {"kid_block": 1000},
    } | changes  # fmt: skip


def evaluating(stage: str, done: int, total: int = 64, seconds: float = 1.0, **values: Any) -> dict[str, Any]:
    known = {"step": 10, "images_seen": 80, "stage": stage, "done": done, "total": total, "seconds": seconds}
    return event("evaluating", **{**known, **values})


def evaluated(step: int, fid: Any = 12.5, **values: Any) -> dict[str, Any]:
    known = {"images_seen": step * 8, "kid": 0.01, "kid_error": 0.001, "precision": 0.5, "recall": 0.25}
    known |= {"density": 0.75, "coverage": 0.5, "classifier_fd": None, "samples": 64, "seed": 3}
    known |= {"floor": {"split": "test", "samples": 64, "fid": 1.5}, "sampling_seconds": 20.0}
    known |= {"feature_seconds": 10.0, "protocol": protocol(), "protocol_id": "as the event says"}
    return event("evaluated", **{"step": step, "fid": fid, **known, **values})


def append(path: Path, *events: Any) -> None:
    """Events (or raw text) at the end of a run's record."""
    with (path / "events.jsonl").open("a") as file:
        for item in events:
            file.write(item if isinstance(item, str) else json.dumps(item) + "\n")


def end(path: Path, status: str = "finished", **values: Any) -> None:
    """What the supervisor leaves."""
    told = {"status": status, "code": 0, "ended_at": "2026-11-23T11:00:00Z", "message": None}
    write_by_rename(path / "exit.json", json.dumps(told | values))


def edit(path: Path, **changes: Any) -> None:
    """Change run.json as the program does."""
    info = json.loads((path / "run.json").read_text()) | changes
    write_by_rename(path / "run.json", json.dumps(info))


def write_by_rename(path: Path, text: str) -> None:
    hidden = path.with_name(path.name + ".new")
    hidden.write_text(text)
    hidden.rename(path)


def make_old(path: Path, seconds: float = 3600) -> None:
    """As if nobody had touched the directory for a while."""
    for item in (*path.iterdir(), path):
        found = item.stat()
        os.utime(item, (found.st_atime - seconds, found.st_mtime - seconds))


@contextmanager
def alive(path: Path) -> Iterator[None]:
    """The run's lock held, as by its supervisor."""
    with (path / "run.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def contents(home: Home, but: tuple[str, ...] = ()) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables, without the columns that depend on when they were read."""
    leave = {"settled", "info_stamp", "config_stamp", "events_inode", "bytes", *but}
    database = Database(home.catalogue)
    with database.reading() as connection:
        found = {}
        for table in metadata.sorted_tables:
            columns = [column for column in table.columns if column.name not in leave]
            rows = connection.execute(select(*columns).order_by(*table.primary_key.columns))
            found[table.name] = [tuple(row) for row in rows]
    database.close()
    return found
