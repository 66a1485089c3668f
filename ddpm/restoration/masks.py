"""Which pixels inpainting sees: bool (H,W), True where a pixel is seen."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ddpm.randomness import derive


def everything(height: int, width: int) -> Tensor:
    return torch.ones(height, width, dtype=torch.bool)


def box(height: int, width: int, hidden: float) -> Tensor:
    """A box in the middle, of the image's proportions, hides the share `hidden` (0…1) of all pixels."""
    seen = everything(height, width)
    side = math.sqrt(hidden)
    tall, wide = round(side * height), round(side * width)
    top, left = (height - tall) // 2, (width - wide) // 2
    seen[top : top + tall, left : left + wide] = False
    return seen


def random(height: int, width: int, hidden: float, seed: int = 0) -> Tensor:
    """The share `hidden` (0…1) of the pixels, drawn without replacement, is hidden."""
    generator = torch.Generator().manual_seed(derive(seed, "mask"))
    order = torch.randperm(height * width, generator=generator)
    seen = torch.ones(height * width, dtype=torch.bool)
    seen[order[: round(hidden * height * width)]] = False
    return seen.view(height, width)
