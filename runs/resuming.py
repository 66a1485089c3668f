"""What must be true and what is changed before a run that ended goes on."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path

from ddpm import checkpoint, configfiles
from ddpm.config import Config
from ddpm.configfiles import ConfigError
from runs.checks import absolute_paths, check_evaluation, check_kept
from runs.directory import RunDirectory
from runs.errors import RunError
from runs.home import Home, data_root
from runs.humanize import a_run
from runs.status import exit_info, last_event

#: What makes a run this run. Where data and weights lie may change: they are the same.
_FIXED_SECTIONS = ("data", "model", "diffusion", "denoising")
_FIXED_KEYS = (
    *("training.objective", "training.seed", "training.batch_size"),
    *("training.ema_decays", "training.ema_lengths"),
)
_MAY_CHANGE = ("data.root", "evaluation.weights", "evaluation.classifier")


def planned(run: RunDirectory, settings: Sequence[str]) -> Config:
    """The configuration that a run would go on with. Changes nothing.

    RunError where nothing is left to do, ConfigError for settings that are not allowed.
    """
    old = run.config()
    if run.kind in ("sample", "restore"):
        _check_takes(run, settings, ())
        return old
    new = configfiles.override(old, settings)
    if run.kind == "evaluate":
        _check_takes(run, settings, _MAY_CHANGE)
    elif run.kind == "likelihood":
        _check_takes(run, settings, ("data.root",))
        return absolute_paths(new)
    else:
        _check_own(run)
        _check_changes(run, old, new)
        _check_left(run, old, new)
        check_kept(new, checkpoint.whole(run.path))
    new = absolute_paths(new)
    _weights(run, old, new)
    return new


def prepare(
    run: RunDirectory, settings: Sequence[str], device: str | None = None, after: str | None = None
) -> None:
    """Apply the settings (the device, the directory of a run to wait for) and put the earlier end aside; call
    with the run's lock held.

    Raises as `planned` does: then nothing has been changed.
    """
    old, new = run.config(), planned(run, settings)
    if device is not None:
        run.edit(device=device)
    if run.info["after"] != after:
        run.edit(after=after)
    if new != old:
        run.write_config(new)
    _relocate(run, old, new)
    try:
        _put_end_aside(run.path)
        (run.path / "stop").unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"{run.path} cannot be written: {error.strerror}") from None


def _check_takes(run: RunDirectory, settings: Sequence[str], allowed: Sequence[str]) -> None:
    """Of a run that makes one thing: nothing else may come of it than what was asked for."""
    if any(setting.partition("=")[0].strip() not in allowed for setting in settings):
        but = f" but {' and '.join(allowed)}" if allowed else ""
        raise RunError(
            f"{run.name} (#{run.id}) is {a_run(run.kind)} and takes no settings{but}; start a new one"
        )
    if _finished(run):
        raise RunError(f"{run.name} (#{run.id}) is finished; nothing is left to do")


def _check_own(run: RunDirectory) -> None:
    """RunError for a training that was made of weights alone: how they came about is not known."""
    newest = checkpoint.whole(run.path)[-1:]
    if newest and checkpoint.TRAINING not in newest[0].state["files"]:
        raise RunError(
            f"{run.name} (#{run.id}) was imported, without the state of its training; "
            f"`train --from {run.name}` starts one from its weights"
        )


def _check_changes(run: RunDirectory, old: Config, new: Config) -> None:
    before, after = configfiles.flatten(old), configfiles.flatten(new)
    problems = [
        f"{key}: cannot change when resuming, it would be another run; "
        f"`train --from {run.name}` starts one from its weights"
        for key in before
        if before[key] != after[key] and _fixed(key)
    ]
    if problems:
        raise ConfigError(problems)


def _fixed(key: str) -> bool:
    return key not in _MAY_CHANGE and (key.split(".")[0] in _FIXED_SECTIONS or key in _FIXED_KEYS)


def _check_left(run: RunDirectory, old: Config, new: Config) -> None:
    done = max(checkpoint.steps(run.path), default=0)
    if not done and _finished(run):
        raise RunError(f"{run.name} (#{run.id}) is finished and has no whole checkpoint left to go on from")
    total = new.training.steps
    if total < done or (total == done and total != old.training.steps):
        raise ConfigError([f"training.steps: {total} is not above the {done} steps that are done"])
    if total == done and _finished(run):
        raise RunError(
            f"{run.name} (#{run.id}) is already at step {done} of {total}; "
            "extend it with --set training.steps=…"
        )


def _finished(run: RunDirectory) -> bool:
    event = last_event(run.events_path) or {}
    return "finished" in ((exit_info(run.path) or {}).get("status"), event.get("status"))


def _relocate(run: RunDirectory, old: Config, new: Config) -> None:
    """Where data and weights lie now, if that was set, or if the run came from a machine where they lay
    elsewhere."""
    if run.kind == "sample":
        return
    recorded = run.info["data_root"]
    places = {"data_root": recorded, "weights": _weights(run, old, new)}
    if new.data.root != old.data.root or recorded is None or not Path(recorded).exists():
        places["data_root"] = str(data_root(Home(run.path.parent.parent), new.data.root))
    if any(run.info[key] != place for key, place in places.items()):
        run.edit(**places)


def _weights(run: RunDirectory, old: Config, new: Config) -> str | None:
    """The file of the Inception weights that the run goes on with, where one is named. Raises ConfigError
    where it is not there."""
    recorded: str | None = run.info["weights"]
    if run.kind == "train" and not new.evaluation.every:
        return recorded
    named = new.evaluation.classifier
    same = new.evaluation.weights == old.evaluation.weights and named == old.evaluation.classifier
    if recorded and same and Path(recorded).is_file() and (named is None or Path(named).is_file()):
        return recorded
    found = check_evaluation(new)
    return None if found is None else str(found)


def _put_end_aside(path: Path) -> None:
    """exit.json becomes exit.1.json, the next one exit.2.json, …"""
    number = 1
    while (path / f"exit.{number}.json").exists():
        number += 1
    try:
        (path / "exit.json").rename(path / f"exit.{number}.json")
    except OSError as error:
        if error.errno != errno.ENOENT:  # one that was lost has none
            raise
