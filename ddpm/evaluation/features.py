"""Features of images: what distances between sets of images are measured in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from ddpm.evaluation import trunk
from ddpm.evaluation.inception import DIMENSION, SIZE, Inception
from ddpm.evaluation.resize import Convention, prepare


def batch_size(device: torch.device) -> int:
    """Images that the Inception network computes at once: always as many, as results depend on it in the last
    bits. Few on a processor, so that the first layers (5 MB an image each) stay in its cache.

    It is also how many are given to it between two looks at the clock and at requests to stop.
    """
    return 8 if device.type == "cpu" else 128


class Features(Protocol):
    """A network that turns images into features. `identity` is its part of a protocol, plain data."""

    dimension: int
    identity: dict[str, Any]

    def __call__(self, images: Tensor) -> Tensor:
        """uint8 (N,C,H,W), C 1 or 3, any size, to float32 (N,dimension) on the CPU."""
        ...


def inception_identity(convention: Convention) -> dict[str, Any]:
    """What `InceptionFeatures` are in a protocol, told without the weights."""
    return {"network": "inception-2015-12-05", "weights": trunk.HASH, "convention": convention}


class InceptionFeatures:
    """Features of the FID Inception network, from the weights in a file (see `ddpm.evaluation.trunk`).

    Raises WeightsError where these are not its weights.
    """

    dimension = DIMENSION

    def __init__(
        self, weights: Path, convention: Convention = "tensorflow", device: torch.device | str = "cpu"
    ) -> None:
        self.identity = inception_identity(convention)
        self._convention = convention
        self._device = torch.device(device)
        self._network = Inception(trunk.read(weights)).to(self._device)
        self._batch = batch_size(self._device)

    def __call__(self, images: Tensor) -> Tensor:
        if len(images) == 0:
            return torch.empty(0, DIMENSION)
        with torch.inference_mode(), full_float32():
            return torch.cat([self._features(part) for part in images.split(self._batch)])

    def _features(self, images: Tensor) -> Tensor:
        x = prepare(images.to(self._device), SIZE, self._convention)
        return self._network(x.expand(-1, 3, -1, -1)).cpu()


@contextlib.contextmanager
def full_float32() -> Iterator[None]:
    """Without TF32, which CUDA's convolutions use unless told not to, and without autocast."""
    with (
        torch.backends.cudnn.flags(enabled=True, allow_tf32=False),
        torch.autocast("cuda", enabled=False),
        torch.autocast("cpu", enabled=False),
    ):
        yield
