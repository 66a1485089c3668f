"""What a new run is made from, checked before anything is created."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from ddpm import averages, checkpoint, configfiles, guides
from ddpm.config import NOT_FROM_ANOTHER, Config, Section
from ddpm.errors import EngineError
from runs.directory import RunDirectory
from runs.errors import BadValueError, RunError
from runs.home import Home, absolute, data_root, inception_weights
from runs.humanize import a_run

#: Of the images that the digit classifier takes (`ddpm.evaluation.classifier.SIZES`, which needs torch).
CLASSIFIED_SIZES = (28, 32)


def check_device(device: str) -> str:
    """A device's name as it can be recorded; whether this machine has it, the engine tells."""
    text = device.strip().lower()
    if not re.fullmatch(r"[a-z]+(:\d{1,3})?", text):
        raise BadValueError(f"{device!r} is not a device; write auto, cpu, cuda, cuda:1 or mps")
    return text


def check_has_checkpoints(run: RunDirectory) -> None:
    """RunError for a run that is no training."""
    if run.kind != "train":
        raise RunError(
            f"{run.name} (#{run.id}) is {a_run(run.kind)}: only trainings have checkpoints to begin with"
        )


def check_draws(run: RunDirectory) -> None:
    """RunError for a run that is no training, or whose network learned to denoise and draws no images."""
    check_has_checkpoints(run)
    config = run.config()
    if not config.diffuses:
        raise RunError(
            f"{run.name} (#{run.id}) learned to denoise (training.objective {config.objective}): it draws no "
            "images; `restore` works with it"
        )


def check_steps_small(run: RunDirectory) -> None:
    """RunError for a run that is no training of a diffusion model, or one tuned to draw in few steps."""
    check_draws(run)
    if run.config().objective == "consistency":
        raise RunError(
            f"{run.name} (#{run.id}) was tuned to draw in few steps (training.objective consistency) and "
            "knows no small ones any more: take the run that it was tuned from"
        )


def check_tunes(run: RunDirectory, config: Config) -> None:
    """RunError where a consistency tuning is of a run that learned another diffusion, or none."""
    if config.objective != "consistency":
        return
    check_draws(run)
    mine, theirs = config.diffusion.model_dump(), run.config().diffusion.model_dump()
    differ = [
        f"diffusion.{key} is {theirs[key]} there and {mine[key]} here"
        for key in mine
        if mine[key] != theirs[key]
    ]
    if differ:
        raise RunError(f"{run.name} cannot be tuned so: {'; '.join(differ)}")


def latest_step(run: RunDirectory) -> int:
    """The step of a run's latest whole checkpoint. RunError where it has none."""
    check_has_checkpoints(run)
    steps = checkpoint.steps(run.path)
    if not steps:
        first = run.config().training.checkpoint_every
        raise RunError(f"{run.name} (#{run.id}) has no whole checkpoint; one is written every {first} steps")
    return steps[-1]


def checkpoint_of(run: RunDirectory, step: int) -> Path:
    """The folder of a whole checkpoint. RunError, with those there are, where there is none."""
    check_has_checkpoints(run)
    steps = checkpoint.steps(run.path)
    if step not in steps:
        there = ", ".join(str(s) for s in steps[-8:]) or "none"
        raise RunError(f"{run.name} (#{run.id}) has no whole checkpoint of step {step}; there are: {there}")
    return checkpoint.folder(run.path, step)


def check_training(
    config: Config, start: tuple[RunDirectory, int] | None = None
) -> tuple[Path | None, Path | None]:
    """(file of the Inception weights that was named, checkpoint of `start`) of a new training, if any.

    ConfigError and RunError for what it would be refused for, or fail by at once.
    """
    inception = check_evaluation(config) if config.evaluation.every else None
    check_kept(config)
    if config.training.ema_snapshots > config.training.steps:
        raise configfiles.ConfigError(
            [
                f"training.ema_snapshots: {config.training.ema_snapshots} is above training.steps "
                f"{config.training.steps}: there would be none"
            ]
        )
    if start is None:
        if config.objective == "consistency":
            raise configfiles.ConfigError([NOT_FROM_ANOTHER])
        return inception, None
    source = checkpoint_of(*start)
    check_same_network(*start, config)
    check_tunes(start[0], config)
    return inception, source


def check_kept(config: Config, saved: Sequence[checkpoint.Checkpoint] = ()) -> None:
    """ConfigError where a training does not have, or does not keep, what it is to be drawn with.

    saved: its checkpoints so far.
    """
    try:
        averages.check_while_training(config.training, config.sampling)
        guides.check_kept(config.training, config.sampling, saved)
    except ValueError as error:
        raise configfiles.ConfigError([str(error)]) from None


def check_weights(run: RunDirectory, step: int, config: Config) -> None:
    """ConfigError where a checkpoint does not have what [sampling] asks for: the average can be made of no
    snapshots up to then, or there is no earlier step to be guided by; RunError where there is no such one."""
    checkpoint_of(run, step)
    _check_average(run, step, config)
    earlier = config.sampling.guide
    if earlier is None:
        return
    there = [s for s in checkpoint.steps(run.path) if s < step]
    if earlier not in there:
        known = ", ".join(map(str, there[:8])) or "none"
        raise configfiles.ConfigError(
            [
                f"sampling.guidance_step: {run.name} has no checkpoint of step {earlier} before {step}; "
                f"there are {known} (--guidance-step unset, or --guidance 1, draws without)"
            ]
        )
    try:
        _check_average(run, earlier, config)
    except configfiles.ConfigError as error:
        problems = [f"sampling.guidance_step: of step {earlier}: {problem}" for problem in error.problems]
        raise configfiles.ConfigError(problems) from None


def _check_average(run: RunDirectory, step: int, config: Config) -> None:
    if averages.reconstructed(config.training, config.sampling):
        try:
            averages.counts(checkpoint_of(run, step), step, config.training, config.sampling)
        except EngineError as error:
            raise configfiles.ConfigError([str(error)]) from None


def check_same_network(run: RunDirectory, step: int, config: Config) -> None:
    """RunError where a checkpoint's weights do not fit the network that `config` describes."""
    mine, theirs = _network(config), _network(run.config())
    differ = [f"{k} is {theirs[k]} there and {mine[k]} here" for k in mine if mine[k] != theirs[k]]
    if differ:
        raise RunError(f"{run.name}@{step} is of another network: {'; '.join(differ)}")


def _network(config: Config) -> dict[str, str]:
    """What decides the shapes of the weights and what they are for, in words."""
    channels, size, _ = config.data.shape
    model = config.model
    sizes = [size // model.patch // 2**level for level in range(len(model.multipliers))]
    attention = ["yes" if s in model.attention else "no" for s in sizes]
    return {
        "data.channels": str(channels),
        "model.channels": str(model.channels),
        "model.multipliers": configfiles.format_value(model.multipliers),
        "model.patch": str(model.patch),
        "model.blocks": str(model.blocks),
        "model.groups": str(model.groups or "auto"),
        "attention by resolution": ",".join(attention),
        "model.head_channels": str(model.head_channels),
        "model.classes": str(model.classes),
        "variance learned": "yes" if config.diffusion.variance == "learned_range" else "no",
        "data.augment above 0": "yes" if config.data.augment else "no",
    }


def check_out(out: Path) -> Path:
    """`--out` as an absolute path. RunError where neither a grid nor images could go there."""
    path = absolute(out)
    if path.suffix.lower() == ".png":
        if path.is_dir():
            raise RunError(f"{path} is a folder; a grid needs a file's name")
        folder = path.parent
    else:
        folder = path
        if path.is_dir() and any(re.fullmatch(r"\d{6,}\.png", entry.name) for entry in path.iterdir()):
            raise RunError(f"{path} holds numbered images already; choose another folder, or remove them")
    check_can_be_made(folder)
    return path


def check_can_be_made(folder: Path) -> None:
    """RunError where a folder, or the nearest one above it that exists, cannot be written into."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise RunError(f"{folder} is a file, not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise RunError(f"{folder} cannot be written")


def check_evaluation(config: Config) -> Path | None:
    """The file of the Inception weights that was named, if any. ConfigError where that or the classifier's
    is no file, where there are no digits to classify, and where the data set has no such split."""
    problems = []
    data, evaluation = config.data, config.evaluation
    if evaluation.reference == "test" and data.dataset in ("digits", "folder"):
        problems.append(
            f"evaluation.reference: data set {data.dataset} has no test split; compare with train"
        )
    weights = inception_weights(evaluation.weights)
    if weights is not None and (what := _no_file(weights)):
        named = "" if evaluation.weights else " (DDPM_INCEPTION)"
        problems.append(f"evaluation.weights: {weights}{named} {what}")
    if evaluation.classifier is not None:
        classifier = absolute(evaluation.classifier)
        if data.dataset != "mnist" or data.shape[1] not in CLASSIFIED_SIZES:
            size = "" if data.dataset != "mnist" else f" at {data.shape[1]} pixels"
            problems.append(
                "evaluation.classifier: it knows MNIST's digits of 28 or 32 pixels alone, and the data set "
                "is "
                f"{data.dataset}{size}"
            )
        elif what := _no_file(classifier):
            problems.append(f"evaluation.classifier: {classifier} {what}")
    if problems:
        raise configfiles.ConfigError(problems)
    return weights


def _no_file(path: Path) -> str:
    """What a path is that is no file; "" for a file."""
    try:
        if path.is_file():
            return ""
        return "is a folder, not a file" if path.is_dir() else "does not exist"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def trained_data(home: Home, run: RunDirectory, config: Config) -> Path:
    """Where the data of a training lie, for a run on one of its checkpoints.

    As `data_root` says; but a folder of the configuration that is not on this machine is passed over, and
    where nobody names one, that where the training found them goes before the home's.
    """
    root, recorded = config.data.root, run.info["data_root"]
    if root is not None and (config.data.dataset == "folder" or Path(root).is_dir()):
        return Path(root)
    named = "DDPM_DATA" in os.environ
    return Path(recorded) if recorded and not named and Path(recorded).is_dir() else data_root(home, None)


def absolute_paths(config: Config) -> Config:
    """The worker works elsewhere, and the file must start the same run again: no relative path."""
    changed: dict[str, Section] = {}
    if config.data.root is not None:
        root = str(absolute(config.data.root))
        changed["data"] = config.data.model_copy(update={"root": root})
    named = {key: getattr(config.evaluation, key) for key in ("weights", "classifier")}
    files = {key: str(absolute(path)) for key, path in named.items() if path is not None}
    if files:
        changed["evaluation"] = config.evaluation.model_copy(update=files)
    if config.restoration.mask not in ("box", "random"):
        mask = str(absolute(config.restoration.mask))
        changed["restoration"] = config.restoration.model_copy(update={"mask": mask})
    return config.model_copy(update=changed)
