"""Which averages of the weights a training keeps, and which files of a checkpoint the chosen one is made of.

No torch: a run is refused, and its files are linked, before anything heavy is loaded.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ddpm.checkpoint import EMA, MODEL
from ddpm.config_sampling import SamplingConfig
from ddpm.config_training import LONGEST, TrainingConfig

#: In a run's directory, or beside the weights that another run took from it: what `ddpm.snapshots` writes.
FOLDER = "snapshots"


def file_of(value: float) -> str:
    """In a checkpoint, the average of a decay or of a relative length."""
    return f"ema-{value!r}.safetensors"


def kept(training: TrainingConfig) -> tuple[float, ...]:
    """The decays and relative lengths of all averages beside the main one."""
    return (*training.ema_decays, *training.ema_lengths)


def sources(training: TrainingConfig, sampling: SamplingConfig) -> tuple[str, ...]:
    """The files of a checkpoint that `sampling.ema` and `sampling.average` ask for: the weights themselves,
    or (see `reconstructed`) what they are made of."""
    if not sampling.ema:
        return (MODEL,)
    if sampling.average is None or sampling.average == training.ema_decay:
        return (EMA,)
    if sampling.average in kept(training):
        return (file_of(sampling.average),)
    return tuple(file_of(length) for length in training.ema_lengths)


def reconstructed(training: TrainingConfig, sampling: SamplingConfig) -> bool:
    """Whether the average asked for is made of snapshots (Karras et al. 2024, section 3.2)."""
    known = (None, training.ema_decay, *kept(training))
    return sampling.ema and sampling.average not in known


def snapshots(folder: Path, until: int) -> dict[int, Path]:
    """The files of snapshots in a folder, by step, of steps up to `until`."""
    found = {}
    for path in folder.glob("*.safetensors"):
        if re.fullmatch(r"\d{8,}", path.stem) and 0 < int(path.stem) <= until:
            found[int(path.stem)] = path
    return dict(sorted(found.items()))


def told(training: TrainingConfig, sampling: SamplingConfig) -> dict[str, Any]:
    """Which weights images were drawn with, for a protocol: "weights", "ema_decay" and "ema_length"."""
    if not sampling.ema:
        return {"weights": "model", "ema_decay": None}
    wanted = training.ema_decay if sampling.average is None else sampling.average
    if wanted in (training.ema_decay, *training.ema_decays):
        return {"weights": "ema", "ema_decay": wanted}
    return {"weights": "ema", "ema_decay": None, "ema_length": wanted}


def check_while_training(training: TrainingConfig, sampling: SamplingConfig) -> None:
    """ValueError where a training itself is to draw with what can only be made of its snapshots later."""
    if reconstructed(training, sampling):
        raise ValueError(
            f"sampling.average: {sampling.average:g} is made of snapshots, when the training has taken them; "
            "for its own grids take one of training.ema_lengths, or leave it unset"
        )


def check(training: TrainingConfig, sampling: SamplingConfig) -> None:
    """ValueError where an average is asked for that the training does not keep and cannot make."""
    wanted = sampling.average
    if wanted is None or wanted in (training.ema_decay, *kept(training)):
        if wanted is not None and not sampling.ema:
            raise ValueError("sampling.average: with sampling.ema false no average is taken; leave it unset")
        return
    there = ", ".join(f"{value:g}" for value in (training.ema_decay, *kept(training)))
    if training.ema_snapshots:
        there += f" and any length up to {LONGEST}"
        if wanted <= LONGEST and sampling.ema:
            return
    raise ValueError(f"sampling.average: the training keeps no average {wanted:g}; there is {there}")
