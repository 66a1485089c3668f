"""What the tests of run directories and processes share: tiny runs, small workers, waiting."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ddpm import checkpoint, configfiles
from ddpm.config import Config
from runs.directory import RunDirectory
from runs.home import Home
from runs.status import probe

TINY = (
    "model.channels=8",
    "model.multipliers=1,2",
    "model.blocks=1",
    "training.batch_size=8",
    "training.steps=20",
    "training.checkpoint_every=10",
    "training.log_every=5",
    "training.sample_every=0",
    "sampling.count=4",
    "sampling.steps=4",
)
ENDLESS = "training.steps=1000000"


def tiny(*settings: str) -> Config:
    """`digits` with a network so small that a step takes milliseconds."""
    return configfiles.override(configfiles.loads('[data]\ndataset = "digits"', "test"), [*TINY, *settings])


def make(home: Home, name: str | None = "some run", *settings: str, **identity: Any) -> RunDirectory:
    """A training run that nothing runs."""
    given = {"kind": "train", "data_root": home.datasets, "device": "cpu", **identity}
    return RunDirectory.create(home, name=name, config=tiny(*settings), **given)


def add_checkpoint(run: RunDirectory, step: int) -> Path:
    """A whole checkpoint, as far as those that do not load it can tell."""
    blobs = {"model.safetensors": b"m", "ema.safetensors": b"e", "training_state.safetensors": b"t"}
    return checkpoint.write(run.path, blobs, {"step": step, "images_seen": 8 * step}).path


def script(code: str, *arguments: object) -> list[str]:
    """A worker that is a few lines of Python; `sys.argv[1:]` are the arguments."""
    return [sys.executable, "-I", "-S", "-c", code, *map(str, arguments)]


#: Appends an event, so that it can be told that it is at work, and sleeps.
SLEEPER = """
import os, sys, time
with open("events.jsonl", "a") as file:
    file.write('{"event":"started","step":0}\\n')
time.sleep(60)
"""


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Return once the condition holds; fail the test if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


def wait_end(run: RunDirectory, seconds: float = 120.0) -> str:
    """The status of a run once it does not run any more."""
    wait_for(lambda: probe(run.path) != "running", seconds)
    return probe(run.path)


def wait_at_work(run: RunDirectory, event: str = "started", seconds: float = 120.0) -> None:
    wait_for(lambda: any(e["event"] == event for e in events(run)), seconds)


def events(run: RunDirectory) -> list[dict[str, Any]]:
    """All whole events of a run."""
    lines = run.events_path.read_bytes().split(b"\n")[:-1]
    return [json.loads(line) for line in lines if line]


def exit_json(run: RunDirectory) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run.path / "exit.json").read_text())
    return content


def process(run: RunDirectory, who: str) -> int:
    """The process id of "worker" or "supervisor"."""
    return int(json.loads((run.path / "process.json").read_text())[who]["pid"])


def kill_all(home: Home) -> None:
    """End whatever of a home's runs is alive, so that a failed test leaves nothing behind."""
    for path in home.runs.iterdir():
        if (path / "process.json").exists() and probe(path) == "running":
            run = RunDirectory(path)
            for who in ("worker", "supervisor"):
                command = Path(f"/proc/{process(run, who)}/cmdline")
                if command.exists() and str(path).encode() in command.read_bytes():
                    os.kill(process(run, who), signal.SIGKILL)
