"""What a restoring run is made from, checked before anything is created, and what became of its inputs."""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ddpm import datafiles, imagefiles
from ddpm.config import Config, Dataset
from ddpm.configfiles import ConfigError
from runs import runjson
from runs.checks import check_can_be_made
from runs.errors import RunError
from runs.home import absolute

#: Data sets that an input may name; a folder of images is named by its path.
DATASETS = tuple(name for name in typing.get_args(Dataset) if name != "folder")


def check_restoration(config: Config) -> None:
    """ConfigError where the task is none for such a model, all that is wrong at once."""
    restoration, problems = config.restoration, []
    channels = config.data.shape[0]
    if not config.diffuses and restoration.task != "denoise":
        problems.append(
            f"restoration.task: this run learned to denoise ({config.objective}); {restoration.task} needs a "
            "diffusion model"
        )
    if config.objective == "consistency":
        problems.append(
            "restoration.task: this run was tuned to draw in few steps (training.objective consistency); "
            "take the run that it was tuned from"
        )
    if restoration.task == "colorize" and channels == 1:
        problems.append("restoration.task: colorize needs a model of colour images; this one knows grey")
    if restoration.task == "compressed-sensing" and not restoration.degrade:
        problems.append(
            "restoration.degrade: compressed sensing begins with clean images, as no file holds its "
            "measurements; add --degrade"
        )
    if restoration.task == "inpaint" and restoration.mask not in ("box", "random"):
        mask = Path(restoration.mask)
        if not mask.is_file():
            what = "is a folder, not a file" if mask.is_dir() else "does not exist"
            problems.append(f"restoration.mask: {mask} {what} (there are also box and random)")
    if problems:
        raise ConfigError(problems)


def check_inputs(inputs: Sequence[str]) -> list[str]:
    """Inputs as a run records them, paths absolute.

    RunError for one that is not there, is an empty folder, or names no split of a data set; a file that is
    no image is told of by the run.
    """
    if not inputs:
        raise RunError("nothing to restore: name images, folders or data sets, as in mnist:test")
    return [_checked(text) for text in inputs]


def _checked(text: str) -> str:
    dataset, colon, split = text.rpartition(":")
    path = absolute(Path(text))
    if colon and dataset in DATASETS and not path.exists():
        if split not in datafiles.splits(dataset):
            there = " and ".join(f"{dataset}:{name}" for name in datafiles.splits(dataset))
            raise RunError(f"{text}: {dataset} has no such split; there is {there}")
        return text
    if path.is_dir():
        if not imagefiles.find(path)[0]:
            endings = " ".join(ending[1:] for ending in imagefiles.ENDINGS)
            raise RunError(f"{path} has no image in it ({endings})")
    elif not path.exists():
        known = (
            f" (data sets: {', '.join(DATASETS)}, as in mnist:test)"
            if re.fullmatch(r"[\w-]+:\w*", text)
            else ""
        )
        raise RunError(f"{text} does not exist{known}")
    return str(path)


def check_out_folder(out: Path, inputs: Sequence[str]) -> Path:
    """`--out` of restored images as an absolute path: new or empty, so that nothing is written over, and in
    no input folder, so that no result is taken for an input. RunError where it cannot be."""
    path = absolute(out)
    real = path.resolve()
    for text in inputs:
        folder = absolute(Path(text))
        if folder.is_dir() and real.is_relative_to(folder.resolve()):
            raise RunError(f"{path} lies in the input folder {folder}; choose a folder outside of it")
    if path.is_dir() and any(path.iterdir()):
        raise RunError(f"{path} is not empty; choose a new or an empty folder")
    check_can_be_made(path)
    return path


def lines(run: Path) -> Iterator[dict[str, Any]]:
    """What became of each input so far, as `ddpm.restoration.ledger` writes it; no foreign lines."""
    try:
        file = (run / "restored.jsonl").open("rb")
    except FileNotFoundError:
        return
    with file:
        for line in file:
            try:
                found = json.loads(line)
            except ValueError:
                continue
            if isinstance(found, dict):
                yield found


def out_folder(run: Path) -> Path:
    """Where a restoring run's images are."""
    named = runjson.read(run)["out"]
    return Path(named) if named else run / "images"
