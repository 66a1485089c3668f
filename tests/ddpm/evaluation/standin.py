"""A feature network that costs nothing, for what does not depend on which network it is."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class StandIn:
    """Features that are linear in the pixels, which any image size can have."""

    def __init__(self, dimension: int = 6, name: str = "stand-in", convention: str = "tensorflow") -> None:
        self.dimension = dimension
        self.identity: dict[str, Any] = {"network": name, "weights": "0" * 64, "convention": convention}
        self.seen = 0  #: images

    def __call__(self, images: Tensor) -> Tensor:
        self.seen += len(images)
        pixels = images.expand(-1, 3, -1, -1).flatten(1).float() / 255
        generator = torch.Generator().manual_seed(0)
        weights = torch.randn(pixels.shape[1], self.dimension, generator=generator)
        return torch.cat([row[None] @ weights for row in pixels])  # one by one: the same bits in any batch
