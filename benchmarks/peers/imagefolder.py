"""A folder of images with the transforms of diffusers' example: opened, sized, cut, in [-1, 1]."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import transforms


class ImageFolder(Dataset):
    """Image i: float32 (C, H, W)."""

    def __init__(self, specification: dict[str, Any]) -> None:
        self._paths = sorted(Path(specification["folder"]).glob("*.png"))
        self._mode = "L" if specification["image_channels"] == 1 else "RGB"
        size = specification["image_size"]
        self._transform = transforms.Compose(
            [
                transforms.Resize(size, interpolation=transforms.InterpolationMode.BILINEAR),
                transforms.CenterCrop(size),
                transforms.ToTensor(),
                transforms.Normalize([0.5], [0.5]),
            ]
        )

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> Tensor:
        with Image.open(self._paths[index]) as image:
            return self._transform(image.convert(self._mode))
