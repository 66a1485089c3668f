"""Calling the command as a person does, and runs to call it on."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ddpm import configfiles, events
from runs.directory import RunDirectory
from runs.home import Home

#: A training of seconds; the network is the smallest there is.
TINY = (
    "training.steps=20",
    "training.batch_size=8",
    "training.log_every=5",
    "training.warmup_steps=0",
    "training.checkpoint_every=10",
    "training.sample_every=20",
    "model.channels=8",
    "model.multipliers=1",
    "model.blocks=1",
    "model.attention=",
    "diffusion.timesteps=10",
    "sampling.count=4",
    "sampling.steps=2",
)
START = "2026-11-23T14:25:00Z"


def tiny(*more: str) -> list[str]:
    """`--set` options of a tiny training of digits, later ones winning."""
    return [part for setting in (*TINY, *more) for part in ("--set", setting)]


def environment(**more: str) -> dict[str, str]:
    """This process's, without what a person may have set for the command."""
    ours = ("DDPM_HOME", "DDPM_DATA", "NO_COLOR", "COLORTERM", "TMUX", "COLUMNS", "LINES")
    return {**{k: v for k, v in os.environ.items() if k not in ours}, "OMP_NUM_THREADS": "1", **more}


def argv(home: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "runs.cli.main", "--home", str(home), *arguments]


def call(home: Path, *arguments: str, timeout: float = 60, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, no terminal anywhere."""
    return subprocess.run(
        argv(home, *arguments),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment(**env),
    )


def with_training(home: Path) -> Path:
    """The home, with a short training of digits in it that is called "base"."""
    done = call(home, "train", "digits", *tiny(), "--name", "base", timeout=300)
    assert done.returncode == 0, done.stderr
    return home


def call_json(home: Path, *arguments: str) -> Any:
    """What the command prints as JSON; it must succeed."""
    done = call(home, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def record(
    home: Home,
    name: str,
    *,
    status: str | None = "finished",
    loss: float = 0.5,
    error: str | None = None,
    **info: Any,
) -> RunDirectory:
    """A training of digits as its files are once it has ended (or vanished: status None)."""
    config = info.pop("config", None) or configfiles.resolve("digits")[0]
    run = RunDirectory.create(home, kind="train", config=config, name="made", preset="digits", **info)
    run.edit(name=name, created_at=START)  # past the checks of names: others may have written the file
    steps = config.training.steps
    told: list[events.Event] = [
        events.Started(0, 0, steps, "cpu", "A CPU", "float32", 1234, "digits", 1797),
        events.Metrics(10, 1280, loss, 2e-4, 1.0, 97.25),
    ]
    if status is not None:
        told.append(events.Ended(status, 10, 1280, error))
    for event in told:
        run.append_event(events.to_record(event, START))
    return run
