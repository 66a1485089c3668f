"""What the tests of evaluations share: a tiny trained run, and feature networks that cost nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ddpm.config import Config
from ddpm.evaluation import examiner
from ddpm.evaluation.evaluation import Evaluation
from ddpm.evaluation.features import Features
from ddpm.evaluation.places import Places
from ddpm.evaluation.progress import Steps
from ddpm.events import Evaluated
from tests.ddpm.test_training import tiny

SETTINGS = (
    "evaluation.samples=70",
    "sampling.batch_size=32",
    "sampling.steps=3",
    "evaluation.companions=false",
)


def settings(*more: str) -> Config:
    """Digits, drawn 70 at 32 at once."""
    return tiny(*SETTINGS, *more)


class Projection:
    """Features: a squashed random projection of the pixels. `before` is called with each part of a batch."""

    def __init__(self, dimension: int = 6, before: Callable[[Tensor], None] = lambda images: None) -> None:
        self.dimension, self._before = dimension, before
        self.identity: dict[str, Any] = {
            "network": f"projection-{dimension}",
            "weights": "00" * 32,
            "convention": "tensorflow",
        }

    def __call__(self, images: Tensor) -> Tensor:
        self._before(images)
        pixels = images.flatten(1).double() / 255
        matrix = torch.randn(
            pixels.shape[1], self.dimension, dtype=torch.float64, generator=torch.Generator().manual_seed(3)
        )
        return torch.tanh(pixels @ matrix / 4).float()


def use(patch: pytest.MonkeyPatch, **networks: Features) -> None:
    """Has examiners measure with these instead of Inception's network."""

    def made(*_: object) -> Steps[dict[str, Features]]:
        yield from ()
        return networks

    patch.setattr(examiner, "networks", made)


def places(folder: Path) -> Places:
    return Places(folder / "data", None, folder / "weights", folder / "references")


def scores(event: Evaluated) -> dict[str, Any]:
    """An event without what two equal evaluations may differ in."""
    known = {name: getattr(event, name) for name in Evaluated.__slots__}
    return {name: value for name, value in known.items() if not name.endswith("_seconds")}


def evaluation(config: Config, trained: Path, directory: Path) -> Evaluation:
    """Of the checkpoint folder `trained`; the reference is kept beside it, computed once for all tests."""
    kept = places(trained.parents[1])
    return Evaluation(
        config, trained, directory, places=kept, device="cpu", origin="run/checkpoints/00000020"
    )
