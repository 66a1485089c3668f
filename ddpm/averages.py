"""Which averages of the weights a training keeps, and which files of a checkpoint the chosen one is made of.

No torch: a run is refused, and its files are linked, before anything heavy is loaded.
"""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path
from typing import Any

from ddpm.checkpoint import EMA, MODEL
from ddpm.config_sampling import SamplingConfig
from ddpm.config_training import LONGEST, TrainingConfig
from ddpm.errors import EngineError

#: In a run's directory, or beside the weights that another run took from it: what `ddpm.snapshots` writes.
FOLDER = "snapshots"
#: How far the profile made of snapshots may be from the one asked for.
_TOLERANCE = 0.1


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


def folder_of(checkpoint: Path) -> Path:
    """Where the snapshots for a checkpoint lie: in its own folder, or in its run's."""
    own = checkpoint / FOLDER
    return own if own.is_dir() else checkpoint.parent.parent / FOLDER


def counts(checkpoint: Path, step: int, training: TrainingConfig, sampling: SamplingConfig) -> list[float]:
    """What each average counts in the one asked for (`reconstructed`), as it was at a checkpoint: of every
    snapshot before it, and then of the checkpoint, those of all ema_lengths.

    EngineError, with the lengths that could be made, where the snapshots are too few for it.
    """
    from ddpm import power_ema  # numpy, which is not needed where nothing is reconstructed

    wanted, lengths = sampling.average, training.ema_lengths
    assert wanted is not None
    earlier = snapshots(folder_of(checkpoint), step - 1)
    kept = [(float(t), power_ema.exponent(s)) for t in (*earlier, step) for s in lengths]
    found, off = power_ema.coefficients(kept, [(float(step), power_ema.exponent(wanted))])
    if off[0] <= _TOLERANCE:
        return [float(count) for count in found[0]]
    rungs = sorted({*(n / 100 for n in range(1, round(100 * LONGEST) + 1)), *lengths})
    offs = power_ema.coefficients(kept, [(float(step), power_ema.exponent(rung)) for rung in rungs])[1]
    near = groupby(zip(rungs, offs, strict=True), lambda rung: rung[1] <= _TOLERANCE)
    spans = [[rung for rung, _ in span] for made, span in near if made]
    there = " and ".join(f"{s[0]:g} to {s[-1]:g}" if len(s) > 1 else f"{s[0]:g}" for s in spans)
    raise EngineError(
        f"sampling.average: {len(earlier)} snapshots before step {step} make no average of length "
        f"{wanted:g} ({off[0]:.0%} off): take one of {there}, or a later checkpoint"
    )


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
        there += f" and, where its snapshots make them, lengths up to {LONGEST}"
        if wanted <= LONGEST and sampling.ema:
            return
    raise ValueError(f"sampling.average: the training keeps no average {wanted:g}; there is {there}")
