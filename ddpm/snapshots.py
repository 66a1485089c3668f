"""Snapshots of the power-function averages of a training, and an average of any length made of them.

    snapshots/00001000.safetensors      in a run's directory: of every length all weights, as float16

Half precision is enough: the weights of an average vary less than that between two snapshots (Karras et al.
2024, section 3.2, keep them so too).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from ddpm import atomic, averages, weights
from ddpm.checkpoint import Checkpoint, CheckpointError
from ddpm.config import Config
from ddpm.ema import EMA


def write(directory: Path, step: int, kept: Mapping[str, EMA], lengths: tuple[float, ...]) -> None:
    """One of this step, whole or not there."""
    tensors = {
        f"{length!r}/{name}": tensor.detach().half().contiguous().cpu()
        for length in lengths
        for name, tensor in kept[averages.file_of(length)].network.state_dict().items()
    }
    path = directory / averages.FOLDER / f"{step:08d}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path, synced=True) as aside:
        aside.write_bytes(safetensors.torch.save(tensors))


def fill(network: nn.Module, saved: Checkpoint, config: Config) -> None:
    """Fills a network with the average of relative length `sampling.average` as it was at a checkpoint.

    Made of the checkpoint's own averages and of the snapshots before it, which lie beside it (`snapshots/`
    in its own folder, or in its run's). EngineError where they are too few, damaged, or another network's.
    """
    lengths, folder = config.training.ema_lengths, averages.folder_of(saved.path)
    earlier = averages.snapshots(folder, saved.step - 1)
    counts = averages.counts(saved.path, saved.step, config.training, config.sampling)
    sums: dict[str, Tensor] = {}
    parts = (part for step in [*earlier, saved.step] for part in _averages(step, earlier, saved, lengths))
    for count, tensors in zip(counts, parts, strict=True):
        for name, tensor in tensors.items():
            sums[name] = sums.get(name, torch.zeros(())) + count * tensor.double()
    weights.fill(network, {name: tensor.float() for name, tensor in sums.items()}, folder)


def _averages(
    step: int, earlier: Mapping[int, Path], saved: Checkpoint, lengths: tuple[float, ...]
) -> Iterator[dict[str, Tensor]]:
    """Of each length the weights as they were at a step."""
    if step == saved.step:
        for length in lengths:
            name = averages.file_of(length)
            yield weights.tensors(saved.read(name), saved.path / name)
        return
    path = earlier[step]
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            for length in lengths:
                start = f"{length!r}/"
                names = [name for name in file.keys() if name.startswith(start)]  # noqa: SIM118 - no mapping
                yield {name.removeprefix(start): file.get_tensor(name) for name in names}
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"{path}: no snapshot of averages: {str(error)[:120]}") from None
