"""Starting runs: new trainings, samplings and evaluations, and going on with those that ended."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ddpm import checkpoint, configfiles, guides
from ddpm.config import (
    Config,
    EvaluationConfig,
    LikelihoodConfig,
    RestorationConfig,
    SamplingConfig,
    Section,
)
from runs import interpreter, logs, queueing, supervisor
from runs.checks import (
    absolute_paths,
    check_device,
    check_draws,
    check_evaluation,
    check_has_checkpoints,
    check_out,
    check_steps_small,
    check_training,
    check_weights,
    checkpoint_of,
    latest_step,
    trained_data,
)
from runs.creation import create_locked
from runs.directory import RunDirectory, claim
from runs.errors import RunError
from runs.home import Home, data_root
from runs.pinning import GoneError, Wanted
from runs.restorations import check_inputs, check_out_folder, check_restoration
from runs.resuming import prepare
from runs.status import running

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
    after: RunDirectory | None = None,
    command: Sequence[str] = (),
) -> RunDirectory:
    """Create a training run and start it, with `start` from the weights of (run, step). It waits for `after`.

    Without a name it is called after its preset or data set. RunError, and nothing is left behind, where
    the name is taken, the checkpoint is missing or does not fit, or nothing can be written.
    """
    config = absolute_paths(config)
    inception, source = check_training(config, start)
    parent = None if start is None else _parent(*start)
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
        take=None if source is None else Wanted((checkpoint.EMA,)),
        data_root=data_root(home, config.data.root),
        inception=inception,
        after=None if after is None else after.path,
        command=command,
    )
    _start_new(run, lock)
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
    check_draws(parent)
    config = _of_parent(parent, sampling=sampling)
    run, lock = _made_from(
        home,
        parent,
        step,
        config,
        kind="sample",
        name=name,
        tags=tags,
        device=check_device(device),
        out=out and check_out(out),
        command=command,
    )
    _start_new(run, lock)
    return run


def new_evaluation(
    home: Home,
    parent: RunDirectory,
    step: int | None,
    evaluation: EvaluationConfig,
    sampling: SamplingConfig,
    *,
    name: str | None = None,
    tags: Sequence[str] = (),
    device: str = "auto",
    command: Sequence[str] = (),
) -> RunDirectory:
    """Create a run that evaluates a training's checkpoint (None: its latest), and start it.

    It draws `evaluation.samples` images, whatever `sampling.count` says. RunError where there is no such
    checkpoint, ConfigError where the settings do not fit the training or name no file of weights.
    """
    config = evaluation_config(parent, evaluation, sampling)
    run, lock = _made_from(
        home,
        parent,
        step,
        config,
        kind="evaluate",
        name=name,
        tags=tags,
        device=check_device(device),
        data_root=trained_data(home, parent, config),
        inception=check_evaluation(config),
        command=command,
    )
    _start_new(run, lock)
    return run


def new_restoration(
    home: Home,
    parent: RunDirectory,
    step: int | None,
    restoration: RestorationConfig,
    inputs: Sequence[str],
    *,
    out: Path | None = None,
    name: str | None = None,
    tags: Sequence[str] = (),
    device: str = "auto",
    command: Sequence[str] = (),
) -> RunDirectory:
    """Create a run that restores images with a training's checkpoint (None: its latest), and start it.

    inputs: images, folders of images, or splits of data sets ("mnist:test"); `out`, a new or empty folder,
    gets the images, else the run keeps them. RunError where there is no such checkpoint, an input is
    missing or `out` cannot be; ConfigError where the settings do not fit the training.
    """
    config = absolute_paths(_of_parent(parent, restoration=restoration))
    check_restoration(config)
    run, lock = _made_from(
        home,
        parent,
        step,
        config,
        kind="restore",
        name=name,
        tags=tags,
        device=check_device(device),
        data_root=trained_data(home, parent, config),
        inputs=check_inputs(inputs),
        out=out and check_out_folder(out, inputs),
        command=command,
    )
    _start_new(run, lock)
    return run


def new_likelihood(
    home: Home,
    parent: RunDirectory,
    step: int | None,
    likelihood: LikelihoodConfig,
    *,
    name: str | None = None,
    tags: Sequence[str] = (),
    device: str = "auto",
    command: Sequence[str] = (),
) -> RunDirectory:
    """Create a run that measures how likely a training's checkpoint (None: its latest) finds images of its
    data set, and start it.

    RunError where there is no such checkpoint, or the training learned to denoise; ConfigError where the
    settings do not fit it.
    """
    check_steps_small(parent)
    config = absolute_paths(_of_parent(parent, likelihood=likelihood))
    run, lock = _made_from(
        home,
        parent,
        step,
        config,
        kind="likelihood",
        name=name,
        tags=tags,
        device=check_device(device),
        data_root=trained_data(home, parent, config),
        command=command,
    )
    _start_new(run, lock)
    return run


def evaluation_config(parent: RunDirectory, evaluation: EvaluationConfig, sampling: SamplingConfig) -> Config:
    """The configuration of an evaluating run. RunError where `parent` is no training, ConfigError where the
    settings do not fit it."""
    check_draws(parent)
    drawn = sampling.model_copy(update={"count": evaluation.samples})
    return absolute_paths(_of_parent(parent, sampling=drawn, evaluation=evaluation))


def _of_parent(parent: RunDirectory, **sections: Section) -> Config:
    """The training's configuration with other sections; what draws no images is guided by nothing."""
    check_has_checkpoints(parent)
    changed = {key: section.model_dump() for key, section in sections.items()}
    trained = parent.config() if "sampling" in sections else guides.unguided(parent.config())
    return configfiles.build({**trained.model_dump(), **changed})


def _made_from(
    home: Home, parent: RunDirectory, step: int | None, config: Config, *, kind: str, **identity: Any
) -> tuple[RunDirectory, int]:
    """A new run on a checkpoint of `parent` (None: its latest), and its lock."""
    for attempts_left in reversed(range(_ATTEMPTS)):
        chosen = latest_step(parent) if step is None else step
        check_weights(parent, chosen, config)
        try:
            return create_locked(
                home,
                kind=kind,
                config=config,
                stem=f"{parent.name}-{kind}",
                parent=_parent(parent, chosen),
                checkpoint=checkpoint_of(parent, chosen),
                take=Wanted.by(config),
                **identity,
            )
        except GoneError:  # the training has gone on meanwhile, and has a newer one
            if step is not None or not attempts_left:
                raise
    raise AssertionError("the last attempt returns or raises")


def resume(
    run: RunDirectory,
    settings: Sequence[str] = (),
    *,
    device: str | None = None,
    after: RunDirectory | None = None,
) -> None:
    """Go on with a run that ended, from its last whole checkpoint, with `section.key=value` changes, on
    another `device` if one is given, once `after` has ended.

    RunError for a live run and where nothing is left to do; ConfigError for settings that are wrong, or
    that would make it another run. Of two at once one wins.
    """
    chosen = None if device is None else check_device(device)
    lock = claim(run, " already")
    try:
        if after is not None:
            queueing.check(run, after)
        prepare(run, settings, chosen, None if after is None else after.path.name)
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


def _start_new(run: RunDirectory, lock: int) -> None:
    """`_start`; of a run that could not be started nothing is left behind."""
    try:
        _start(run, lock)
    except RunError:
        if not running(run.path):
            shutil.rmtree(run.path, ignore_errors=True)
        raise


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
            told = logs.tail(run.log_path, 1)
            reason = os.strerror(code) if code > 1 else told[-1] if told else f"exit code {code}"
            raise RunError(f"{run.path}: the run could not be started: {reason}")
        if time.monotonic() > deadline:
            raise RunError(f"{run.path}: the supervisor does not answer; see {run.log_path}")
        time.sleep(0.003)


def _parent(run: RunDirectory, step: int) -> dict[str, object]:
    info = run.info
    return {"uuid": info["uuid"], "id": info["id"], "name": info["name"], "step": step}
