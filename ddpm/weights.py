"""A network's tensors to and from safetensors bytes."""

from __future__ import annotations

from pathlib import Path

import safetensors.torch
from torch import Tensor, nn

from ddpm.checkpoint import Checkpoint, CheckpointError


def to_bytes(network: nn.Module) -> bytes:
    """All tensors by name, contiguous and on the CPU; equal weights give equal bytes."""
    tensors = {n: t.detach().contiguous().cpu() for n, t in network.state_dict().items()}
    return safetensors.torch.save(tensors)


def tensors(blob: bytes, path: Path) -> dict[str, Tensor]:
    """The tensors in safetensors bytes; CheckpointError, naming `path`, if they are no such thing."""
    try:
        return safetensors.torch.load(blob)
    except (ValueError, KeyError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"{path}: not safetensors: {_one_line(error)}") from None


def fill(network: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    """Fills a network; CheckpointError, naming `path`, if the tensors are another network's."""
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise CheckpointError(f"{path}: does not fit this network: {_one_line(error)}") from None


def load(network: nn.Module, saved: Checkpoint, name: str) -> None:
    """Fills a network from one file of a checkpoint."""
    path = saved.path / name
    fill(network, tensors(saved.read(name), path), path)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]
