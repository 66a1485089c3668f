"""The network compiled for training (`torch.compile`), where that repays the minutes it takes.

What is compiled computes the same to rounding, with fewer and larger kernels. Whether it is wanted hangs on
the configuration and the device alone, so that a run that goes on computes as it began.
"""

from __future__ import annotations

import os
from typing import cast

import torch
from torch import nn

from ddpm import devices
from ddpm.augmentation import NUMBERS
from ddpm.config import Config
from ddpm.config_training import TrainingConfig
from ddpm.feed import tells
from ddpm.kernels import library

#: Steps from which on "auto" compiles on a GPU: compiling takes as long as thousands of them.
WORTH = 10_000


class CompileError(Exception):
    """That the network could not be compiled, in a line."""


def wanted(training: TrainingConfig, device: torch.device) -> bool:
    """Whether to compile. On a CPU only if asked for: the kernels of `ddpm.kernels` are as fast there."""
    if training.compile == "auto":
        return device.type == "cuda" and training.steps >= WORTH
    return training.compile == "on"


def compiled(network: nn.Module, config: Config, device: torch.device) -> nn.Module:
    """A module of the same weights that computes what `network` does, once forwards and back already.

    To be called in the context (autocast, attention's kernel) that it will be used in. Leaves no gradients,
    and torch's global generator changed. CompileError where the compiler fails; lack of memory is raised as
    it is.
    """
    _keep_privately()
    made = cast(nn.Module, torch.compile(network, dynamic=False))
    count = config.training.batch_size // config.training.accumulation
    x = torch.zeros(count, *config.data.shape, device=device).to(memory_format=torch.channels_last)
    times = torch.zeros(count, dtype=torch.long, device=device)
    told = {"labels": times, "moves": torch.zeros(count, NUMBERS, device=device)}
    try:
        made(x, times, **{name: told[name] for name in tells(config)}).sum().backward()
    except Exception as error:  # whatever a compiler, and the one for C++ or CUDA behind it, may raise
        if devices.is_out_of_memory(error):
            raise
        first = next(iter(str(error).strip().splitlines()), "")
        raise CompileError(f"the network cannot be compiled: {first or type(error).__name__}") from error
    finally:
        network.zero_grad(set_to_none=True)
    return made


def _keep_privately() -> None:
    """Has what is compiled kept in the user's own folder: in torch's, in /tmp, others could put theirs."""
    try:  # torch itself sets the variable to its own folder when it is loaded: no sign of a user's wish
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(library.folder() / "inductor")
    except (OSError, RuntimeError, library.NoKernels) as error:
        raise CompileError(f"the network cannot be compiled: no folder to keep it in: {error}") from None
