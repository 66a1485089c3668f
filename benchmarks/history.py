"""Writes a home full of runs that never ran, for measuring: what a researcher's looks like after a year.

python -m benchmarks.history HOME --runs 1000 --rows 200
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from runs.home import Home

PRESETS = ("digits", "mnist", "fashion-mnist", "cifar10")
_LOG_EVERY, _BATCH, _SECONDS = 50, 128, 4.0
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

_CONFIG = """\
[data]
dataset = "{preset}"
flip = false

[model]
channels = 64
multipliers = [1, 2, 2]
blocks = 2
attention = [16]
dropout = 0.1

[diffusion]
timesteps = 1000
schedule = "linear"
beta_start = 0.0001
beta_end = 0.02
variance = "fixed_large"

[training]
steps = {steps}
batch_size = 128
learning_rate = 0.0002
warmup_steps = 1000
seed = {seed}
log_every = 50

[sampling]
sampler = "ddim"
eta = 0.0
spacing = "uniform"
count = 64
seed = 0
ema = true
"""


def write(home: Home, runs: int, rows: int, *, old: bool = True) -> None:
    """`runs` ended training runs with `rows` rows of metrics each; `old` as if written a while ago."""
    home.runs.mkdir(parents=True, exist_ok=True)
    for number in range(1, runs + 1):
        write_run(home, number, rows, old=old)


def write_run(home: Home, number: int, rows: int, *, old: bool = True, ended: bool = True) -> Path:
    """One run directory, whole; the same for the same number. Without an end it is a lost run."""
    draw = random.Random(number)
    preset = draw.choice(PRESETS)
    name = f"{preset}-{draw.choice(['wide', 'deep', 'cosine', 'base'])}-{number}"
    path = home.runs / f"{number:04d}-{name}"
    path.mkdir()
    status = draw.choices(("finished", "stopped", "failed"), (80, 15, 5))[0]
    begin = _BEGIN + timedelta(minutes=40 * number)
    (path / "config.toml").write_text(_CONFIG.format(preset=preset, steps=rows * _LOG_EVERY, seed=number))
    with (path / "events.jsonl").open("w", encoding="utf-8") as file:
        for event in _events(begin, rows, status, draw):
            if not ended and event["event"] == "ended":
                break
            file.write(json.dumps(event, separators=(",", ":")) + "\n")
    (path / "log.txt").write_text("")
    (path / "run.lock").touch()
    end = begin + timedelta(seconds=_SECONDS * rows)
    times = {"started_at": _iso(begin), "ended_at": _iso(end)}
    told = {"status": status, "code": int(status == "failed"), "signal": None, "out_of_memory": False}
    if ended:
        _write_json(path / "exit.json", told | times | {"message": None})
    _write_json(path / "run.json", _info(number, name, preset, begin, draw))
    if old:
        then = time.time() - 3600
        for file_path in (*path.iterdir(), path):
            os.utime(file_path, (then, then))
    return path


def _info(number: int, name: str, preset: str, begin: datetime, draw: random.Random) -> dict[str, Any]:
    packages = {"torch": "2.9.0", "torchvision": "0.24.0", "numpy": "2.3.1", "pydantic": "2.12.0"}
    return {
        "format": 1,
        "uuid": str(uuid.UUID(int=draw.getrandbits(128), version=4)),
        "id": number,
        "kind": "train",
        "name": name,
        "preset": preset,
        "tags": draw.sample(["baseline", "ablation", "paper", "keep"], draw.randrange(3)),
        "notes": draw.choice(["", "", "", "higher learning rate than before, watch the first 1,000 steps"]),
        "created_at": _iso(begin),
        "device": "auto",
        "data_root": "/data/images",
        "out": None,
        "parent": None,
        "checkpoint": None,
        "command": ["ddpm-tui", "train", preset, "--name", name, "--set", f"training.seed={number}"],
        "provenance": {
            "host": "box",
            "user": "someone",
            "platform": "Linux-6.1-x86_64",
            "python": "3.11.7",
            "packages": packages,
            "git_commit": f"{draw.getrandbits(160):040x}",
            "git_dirty": False,
            "seed": number,
            "device": "auto",
        },
    }


def metrics(row: int, draw: random.Random) -> dict[str, Any]:
    """A plausible row: a loss that falls and is noisy."""
    step = (row + 1) * _LOG_EVERY
    return {
        "step": step,
        "images_seen": step * _BATCH,
        "loss": 0.02 + math.exp(-step / 3000) + 0.004 * draw.random(),
        "learning_rate": 2e-4 * min(1.0, step / 1000),
        "gradient_norm": 0.1 + 0.1 * draw.random(),
        "images_per_second": 1600 + 50 * draw.random(),
    }


def _events(begin: datetime, rows: int, status: str, draw: random.Random) -> Iterator[dict[str, Any]]:
    def event(kind: str, row: float, **values: Any) -> dict[str, Any]:
        return {"event": kind, "time": _iso(begin + timedelta(seconds=_SECONDS * row)), **values}

    total = rows * _LOG_EVERY
    yield event(
        "started",
        0,
        **{
            "step": 0,
            "images_seen": 0,
            "total_steps": total,
            "device": "cuda:0",
            "device_name": "NVIDIA H200",
        },
        **{"precision": "bfloat16", "parameters": 6_000_000, "dataset": "mnist", "dataset_size": 60_000},
    )
    for row in range(rows):
        values = metrics(row, draw)
        yield event("metrics", row + 1, **values)
        if (row + 1) % max(1, rows // 8) == 0:
            place = {"step": values["step"], "images_seen": values["images_seen"]}
            path = f"{values['step']:08d}"
            yield event(
                "checkpoint_written",
                row + 1,
                **place,
                **{"path": f"checkpoints/{path}", "bytes": 96_000_000, "milestone": False},
            )
            yield event(
                "samples_written",
                row + 1,
                **place,
                **{"path": f"samples/{path}.png", "count": 64, "seed": 0, "sampler": "ddim"},
                **{"sampler_steps": 50},
            )
    yield event("ended", rows, status=status, step=total, images_seen=total * _BATCH, message=None)


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("home", type=Path)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=200, help="rows of metrics per run")
    chosen = parser.parse_args()
    write(Home(chosen.home), chosen.runs, chosen.rows)


if __name__ == "__main__":
    main()
