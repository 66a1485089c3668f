"""Real homes with real run directories: created as a launch does it, events appended as a worker does."""

from __future__ import annotations

import copy
import json
import math
import re
import shutil
import uuid
from pathlib import Path
from typing import Any

from PIL import Image

from ddpm import configfiles, events
from ddpm.config import Config
from ddpm.evaluation import protocol
from runs.directory import RunDirectory
from runs.home import Home


def make_run(
    home: Home,
    name: str | None = None,
    *,
    preset: str = "digits",
    steps: int = 200,
    done: int = 200,
    end: str | None = "finished",
    message: str | None = None,
    settings: tuple[str, ...] = (),
    tags: tuple[str, ...] = (),
    samples: int = 2,
    checkpoints: int = 2,
) -> RunDirectory:
    """A training run with metrics every ten steps, sample grids and checkpoints; `end` None: never ended.

    A name that a launch would refuse is written into run.json afterwards, as a hand could.
    """
    hostile = name is not None and not re.fullmatch(r"[\w. -]+", name)
    config, _ = configfiles.resolve(preset, [f"training.steps={steps}", "training.batch_size=128", *settings])
    run = RunDirectory.create(
        home,
        kind="train",
        config=config,
        name=None if hostile else name,
        stem=preset,
        preset=preset,
        tags=tags,
        device="cpu",
        command=("ddpm-tui", "train", preset),
    )
    if hostile:
        run.edit(name=name)
    batch = config.training.batch_size
    record(run, events.Started(0, 0, steps, "cpu", "two cores", "float32", 1_234_567, "digits", 1797))
    for step in range(10, done + 1, 10):
        record(run, events.Metrics(step, step * batch, 1 / math.sqrt(step), 2e-4, 0.5 + 1 / step, 812.0))
    for i in range(1, samples + 1):
        at = done * i // samples
        add_grid(run, at, at * batch)
    for i in range(1, checkpoints + 1):
        add_checkpoint(run, done * i // checkpoints, batch)
    if end is not None:
        finish(run, end, done, done * batch, message)
    return run


def record(run: RunDirectory, event: Any, time: str = "2026-11-23T14:25:00.000Z") -> None:
    run.append_event(events.to_record(event, time))


def add_grid(run: RunDirectory, step: int, images_seen: int) -> None:
    path = run.path / "samples" / f"{step:08d}.png"
    path.parent.mkdir(exist_ok=True)
    Image.linear_gradient("L").resize((35, 35)).point(lambda v: (v + step) % 256).save(path)
    record(run, events.SamplesWritten(step, images_seen, f"samples/{path.name}", 16, 0, "ddim", 50))


def add_checkpoint(run: RunDirectory, step: int, batch: int) -> None:
    folder = run.path / "checkpoints" / f"{step:08d}"
    folder.mkdir(parents=True)
    (folder / "state.json").write_text(json.dumps({"step": step}))
    record(run, events.CheckpointWritten(step, step * batch, f"checkpoints/{step:08d}", 4_900_000, False))


def finish(run: RunDirectory, status: str, step: int, images_seen: int, message: str | None = None) -> None:
    """As worker and supervisor do at the end."""
    record(run, events.Ended(status, step, images_seen, message))
    end = {
        "status": status, "code": int(status == "failed"), "signal": None, "out_of_memory": False,
        "started_at": "2026-11-23T14:25:00Z", "ended_at": "2026-11-23T14:29:00Z", "message": message,
    }  # fmt: skip
    (run.path / "exit.json").write_text(json.dumps(end))


def make_sampling(
    home: Home, parent: RunDirectory, name: str | None = None, *, frames: int = 4, ended: bool = True
) -> RunDirectory:
    """A run that drew images in four steps, with frames and grid; not `ended`: the first `frames`."""
    config: Config = parent.config()
    info = parent.info
    run = RunDirectory.create(
        home,
        kind="sample",
        config=config,
        name=name,
        stem=f"{parent.name}-sample",
        device="cpu",
        parent={"uuid": info["uuid"], "id": info["id"], "name": info["name"], "step": 200},
        checkpoint=parent.path / "checkpoints" / "00000200",
        command=("ddpm-tui", "sample", parent.name),
    )
    (run.path / "frames").mkdir()
    for index in range(1, frames + 1):
        for kind in ("xt", "x0"):
            noise = Image.effect_noise((35, 35), 20 * (4 - index) + 1)
            noise.save(run.path / "frames" / f"{index:04d}-{kind}.png")
        x_t, x_0 = f"frames/{index:04d}-xt.png", f"frames/{index:04d}-x0.png"
        record(run, events.Denoising(index, 4, 1000 - 250 * index, 16 * (index == 4), 16, x_t, x_0))
    if ended:
        path = run.path / "samples" / "grid.png"
        path.parent.mkdir()
        Image.linear_gradient("L").resize((35, 35)).save(path)
        record(run, events.SamplesWritten(200, 0, "samples/grid.png", 16, 0, "ddim", 4))
        finish(run, "finished", 16, 0)
    return run


PROTOCOL = {
    "features": {"network": "inception-2015-12-05", "weights": "6726825d" * 8, "convention": "tensorflow"},
    "reference": {
        "dataset": "cifar10", "split": "train", "shape": [3, 32, 32], "images": 50_000, "data": "ab" * 32
    },
    "samples": 10_000,
    "sampling": {
        "sampler": "ddim", "steps": 50, "spacing": "uniform", "eta": 0.0,
        "weights": "ema", "ema_decay": 0.9999,
    },
    "companions": {"kid_block": 1000, "neighbours": [3, 5], "reference_features": 10_000},
}  # fmt: skip
FLOOR = {
    "split": "test", "samples": 10_000, "fid": 3.15, "kid": 0.0001, "kid_error": 0.0002,
    "precision": 0.811, "recall": 0.802, "density": 0.998, "coverage": 0.971,
}  # fmt: skip


def evaluated(step: int, fid: float, **changes: Any) -> events.Evaluated:
    """What an evaluation found; `changes` of its fields, and of the protocol by "section.key"."""
    own = {key: changes.pop(key) for key in list(changes) if "." in key}
    changed: dict[str, Any] = copy.deepcopy(PROTOCOL)
    for key, value in own.items():
        section, _, name = key.partition(".")
        changed[section][name] = value
    changed["samples"] = changes.get("samples", 10_000)
    fields = {
        "step": step, "images_seen": step * 128, "fid": fid, "kid": fid / 1000, "kid_error": 0.0004,
        "precision": 0.7, "recall": 0.5, "density": 0.9, "coverage": 0.8, "classifier_fd": None,
        "floor": FLOOR, "samples": 10_000, "seed": 0, "protocol": changed,
        "protocol_id": protocol.identity(changed), "sampling_seconds": 500.0, "feature_seconds": 100.0,
    }  # fmt: skip
    return events.Evaluated(**(fields | changes))


def make_evaluation(
    home: Home, parent: RunDirectory, *found: Any, step: int = 200, ended: bool = True
) -> RunDirectory:
    """A run that evaluates a checkpoint, its events `found`; it drew a grid."""
    info = parent.info
    run = RunDirectory.create(
        home,
        kind="evaluate",
        config=parent.config(),
        name=None,
        stem=f"{parent.name}-evaluate",
        device="cpu",
        parent={"uuid": info["uuid"], "id": info["id"], "name": info["name"], "step": step},
        checkpoint=parent.path / "checkpoints" / f"{step:08d}",
        command=("ddpm-tui", "evaluate", parent.name),
    )
    record(run, events.Started(0, 0, 10_000, "cpu", "two cores", "float32", 1_234_567, "digits", 1797))
    for event in found:
        record(run, event)
    if ended:
        add_grid(run, step, step * 128)
        finish(run, "finished", 10_000, 0)
    return run


def copies(home: Home, run: RunDirectory, count: int) -> None:
    """So many runs more, as if their directories had been copied in from another machine."""
    first = run.id
    for number in range(first + 1, first + 1 + count):
        path = home.runs / f"{number:04d}-{run.name}"
        shutil.copytree(run.path, path)
        info = run.info | {"id": number, "uuid": str(uuid.uuid4()), "name": f"{run.name}-{number}"}
        (path / "run.json").write_text(json.dumps(info))


def home_at(path: Path) -> Home:
    home = Home(path)
    home.runs.mkdir(parents=True)
    return home
