"""Where the weights of an earlier step lie, by which images are guided (`sampling.guidance_step`).

No torch: a run is refused, and its files are linked, before anything heavy is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ddpm import checkpoint
from ddpm.checkpoint import Checkpoint
from ddpm.config import Config
from ddpm.config_sampling import SamplingConfig
from ddpm.config_training import TrainingConfig

#: Beside the weights that another run took: the guide's, a checkpoint itself.
FOLDER = "guide"


def folder_of(folder: Path, step: int) -> Path:
    """The checkpoint of a guide: in the folder of the checkpoint that it guides, or in the same run."""
    own = folder / FOLDER
    return own if own.is_dir() else checkpoint.folder(folder.parent.parent, step)


def fitting(config: Config, step: int) -> Config:
    """The configuration to draw with at a step of a training: without guidance up to the one that guides."""
    guide = config.sampling.guide
    return unguided(config) if guide is None or step <= guide else config


def unguided(config: Config) -> Config:
    """Without an earlier step to be guided by: what a training itself draws with, whose grids begin before
    there is one, and what asks for no guidance."""
    if config.sampling.guidance_step is None:
        return config
    alone = config.sampling.model_copy(update={"guidance": 1.0, "guidance_step": None})
    return config.model_copy(update={"sampling": alone})


def check_kept(training: TrainingConfig, sampling: SamplingConfig, saved: Sequence[Checkpoint] = ()) -> None:
    """ValueError where a training would not have the step to be guided by when it is at its end.

    saved: its checkpoints so far, by step.
    """
    step, every = sampling.guide, training.milestone_every
    done = max((c.step for c in saved), default=0)
    there = any(c.step == step and c.state.get("milestone") for c in saved)
    if step is None or (step < training.steps and (there or (every and step % every == 0 and step > done))):
        return
    milestones = f"one of every {every:,}" if every else "there are none with training.milestone_every=0"
    raise ValueError(
        f"sampling.guidance_step: {step} is no milestone of the training before step {training.steps}: "
        f"{milestones}; unset, or with sampling.guidance=1, images are drawn without"
    )
