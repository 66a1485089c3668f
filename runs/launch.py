"""Starting runs: new trainings and samplings, and going on with those that ended."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from ddpm import checkpoint, configfiles
from ddpm.config import Config, SamplingConfig
from runs import interpreter, supervisor
from runs.checks import (
    absolute_root,
    check_device,
    check_has_checkpoints,
    check_out,
    check_same_network,
    checkpoint_of,
    latest_step,
)
from runs.creation import create_locked
from runs.directory import RunDirectory, claim
from runs.errors import RunError
from runs.home import Home, data_root
from runs.pinning import GoneError
from runs.resuming import prepare

#: How long a launch waits for the supervisor to show itself.
_START_SECONDS = 20.0
#: How often the latest checkpoint is looked for anew, when it was removed while it was being taken.
_ATTEMPTS = 5


def new_training(
    home: Home,
    config: Config,
    *,
    preset: str | None = None,
    name: str | None = None,
    tags: Sequence[str] = (),
    device: str = "auto",
    start: tuple[RunDirectory, int] | None = None,
    command: Sequence[str] = (),
) -> RunDirectory:
    """Create a training run and start it; with `start` from the weights of (run, step).

    Without a name it is called after its preset or data set. RunError, and nothing is left behind, where
    the name is taken, the checkpoint is missing or does not fit, or nothing can be written.
    """
    config = absolute_root(config)
    parent, source = None, None
    if start is not None:
        source = checkpoint_of(*start)
        check_same_network(start[0], start[1], config)
        parent = _parent(*start)
    run, lock = create_locked(
        home,
        kind="train",
        config=config,
        name=name,
        stem=preset or config.data.dataset,
        preset=preset,
        tags=tags,
        device=check_device(device),
        parent=parent,
        checkpoint=source,
        weights=None if source is None else checkpoint.EMA,
        data_root=data_root(home, config.data.root),
        command=command,
    )
    _start(run, lock)
    return run


def new_sampling(
    home: Home,
    parent: RunDirectory,
    step: int | None,
    sampling: SamplingConfig,
    *,
    name: str | None = None,
    tags: Sequence[str] = (),
    device: str = "auto",
    out: Path | None = None,
    command: Sequence[str] = (),
) -> RunDirectory:
    """Create a run that samples from a training's checkpoint (None: its latest), and start it.

    `out` gets the grid if it ends in .png, else is a folder for the single images. RunError where there
    is no such checkpoint or `out` cannot be, ConfigError where the settings do not fit the training.
    """
    check_has_checkpoints(parent)
    trained = parent.config()
    config = configfiles.build({**trained.model_dump(), "sampling": sampling.model_dump()})
    out, device = out and check_out(out), check_device(device)
    for attempts_left in reversed(range(_ATTEMPTS)):
        chosen = latest_step(parent) if step is None else step
        try:
            run, lock = create_locked(
                home,
                kind="sample",
                config=config,
                name=name,
                stem=f"{parent.name}-sample",
                tags=tags,
                device=device,
                parent=_parent(parent, chosen),
                checkpoint=checkpoint_of(parent, chosen),
                weights=checkpoint.EMA if sampling.ema else checkpoint.MODEL,
                out=out,
                command=command,
            )
            break
        except GoneError:  # the training has gone on meanwhile, and has a newer one
            if step is not None or not attempts_left:
                raise
    _start(run, lock)
    return run


def resume(run: RunDirectory, settings: Sequence[str] = (), *, device: str | None = None) -> None:
    """Go on with a run that ended, from its last whole checkpoint, with `section.key=value` changes, on
    another `device` if one is given.

    RunError for a live run and where nothing is left to do; ConfigError for settings that are wrong, or
    that would make it another run. Of two at once one wins.
    """
    chosen = None if device is None else check_device(device)
    lock = claim(run, " already")
    try:
        prepare(run, settings, chosen)
    except BaseException:
        os.close(lock)
        raise
    _start(run, lock)


def launch(run: RunDirectory, worker: Sequence[str] | None = None) -> None:
    """Start the processes of a run that has none. RunError if it runs already or cannot be started.

    `worker` is the command to supervise; by default this program's own.
    """
    _start(run, claim(run, " already"), worker)


# -- the processes ----------------------------------------------------------------------------------


def _start(run: RunDirectory, lock: int, worker: Sequence[str] | None = None) -> None:
    """Hand the lock to a supervisor and return once that has started the worker. Closes `lock`."""
    if worker is None:
        worker = interpreter.command("runs.worker", str(run.path), str(lock))
    script = str(Path(supervisor.__file__).resolve())
    argv = [sys.executable, "-I", "-S", script, str(run.path), str(lock), "--", *worker]
    try:
        (run.path / "process.json").unlink(missing_ok=True)
        with run.log_path.open("ab") as log:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=run.path,
                env=interpreter.environment(),
                pass_fds=(lock,),
                start_new_session=True,  # closing the terminal ends its session, not this one
            )
    except OSError as error:
        raise RunError(f"{run.path}: the run could not be started: {error.strerror}") from None
    finally:
        os.close(lock)
    _await(run, process)
    # Whoever lives longer than the run (the app) must take note of its end, or a zombie remains.
    threading.Thread(target=process.wait, name=f"reap-{process.pid}", daemon=True).start()


def _await(run: RunDirectory, process: subprocess.Popen[bytes]) -> None:
    """Wait until the supervisor says who runs: from then on the run can be stopped."""
    deadline = time.monotonic() + _START_SECONDS
    record = run.path / "process.json"
    while not record.exists():
        code = process.poll()
        if code is not None and not record.exists():
            reason = os.strerror(code) if code > 1 else f"see {run.log_path}"
            raise RunError(f"{run.path}: the run could not be started: {reason}")
        if time.monotonic() > deadline:
            raise RunError(f"{run.path}: the supervisor does not answer; see {run.log_path}")
        time.sleep(0.003)


def _parent(run: RunDirectory, step: int) -> dict[str, object]:
    info = run.info
    return {"uuid": info["uuid"], "id": info["id"], "name": info["name"], "step": step}
