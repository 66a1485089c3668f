"""What the tests of references share: how they are made, of which data."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ddpm import data
from ddpm.config import DataConfig
from ddpm.evaluation.places import Places
from ddpm.evaluation.progress import finish
from ddpm.evaluation.reference import Reference, build
from tests.ddpm.evaluation.standin import StandIn
from tests.ddpm.writers import idx_bytes, mnist_like, write

DIGITS = DataConfig(dataset="digits")
MNIST = DataConfig(dataset="mnist")


def made(
    places: Places, features: StandIn, config: DataConfig = MNIST, split: str = "train", **more: Any
) -> Reference:
    return finish(build(config, split, features, places, **({"companions": True} | more)))


def images(places: Places, split: str = "train") -> Tensor:
    return data.load(MNIST, places.data_root, split).images


def write_test_split(places: Places, seed: int) -> None:
    """50 other images, and the same for training."""
    pixels, _ = mnist_like(50, seed)
    write(places.data_root / "t10k-images-idx3-ubyte", idx_bytes(pixels))


def files(places: Places) -> list[str]:
    return sorted(path.name for path in places.references.iterdir() if path.suffix != ".lock")
