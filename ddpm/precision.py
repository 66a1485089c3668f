"""Whether bfloat16 pays on a processor that has instructions for it: measured there once, then kept.

Kept, because a run that goes on must compute as it began.
"""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

import torch

from ddpm import atomic, devices, unet
from ddpm.config_model import ModelConfig
from ddpm.kernels import library

#: Of float32's time that bfloat16 may take at most: less exact arithmetic for little gain is no bargain.
_WORTH = 0.9
_ROUNDS = 5


def bfloat16_wins() -> bool:
    """Whether a U-Net learns faster in bfloat16 than in float32, with as many threads as torch has now.

    Takes about a second the first time on a machine; with another torch, number of threads or kernels anew.
    """
    path = _path()
    if path is not None and (kept := _kept(path)) is not None:
        return kept
    times = step_seconds()
    wins = times[torch.bfloat16] < _WORTH * times[torch.float32]
    if path is not None:
        told = {str(dtype).removeprefix("torch."): seconds for dtype, seconds in times.items()}
        with atomic.replacing(path) as aside:
            aside.write_text(json.dumps({"bfloat16": wins, "seconds": told}))
    return wins


def step_seconds() -> dict[torch.dtype, float]:
    """Seconds of a network forwards and back, the least of some; draws nothing of torch's generator.

    In turns, so that a busy moment is of both, and of a width that networks have: arithmetic is to count.
    """
    model = ModelConfig(channels=64, multipliers=(1, 2), blocks=1, attention=(1,), dropout=0.0)
    with torch.random.fork_rng(devices=[]):
        network = unet.UNet(model, 1, 16).to(memory_format=torch.channels_last)
        x, times = torch.randn(16, 1, 16, 16), torch.arange(16)
    taken: dict[torch.dtype, list[float]] = {torch.float32: [], torch.bfloat16: []}
    for _ in range(_ROUNDS):
        for dtype, seconds in taken.items():
            began = time.perf_counter()
            with devices.arithmetic(dtype, torch.device("cpu")):
                network(x, times).square().mean().backward()
            seconds.append(time.perf_counter() - began)
    return {dtype: min(seconds) for dtype, seconds in taken.items()}


def _path() -> Path | None:
    """Where the answer of this machine is kept; None where nothing can be."""
    kernels = library.found()
    about = (torch.__version__, torch.get_num_threads(), kernels.name)
    digest = hashlib.sha256(repr(about).encode() + library.processor()).hexdigest()[:20]
    try:
        return library.folder() / f"precision-{digest}.json"
    except (OSError, library.NoKernels):
        return None


def _kept(path: Path) -> bool | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None  # none yet, or damaged: measured anew
    answer = found.get("bfloat16") if isinstance(found, dict) else None
    return answer if isinstance(answer, bool) else None
