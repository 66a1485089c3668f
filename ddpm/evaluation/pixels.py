"""What identifies a set of images: a hash over their pixels, whatever kind of file they came in."""

from __future__ import annotations

import hashlib

from torch import Tensor

_PART = 4096  # images copied at once, where they do not lie in one piece


class PixelHash:
    """SHA-256 over the shape of one image and all pixels in the order of the images; taken in by batches."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._shape: tuple[int, ...] | None = None

    def add(self, images: Tensor) -> None:
        """uint8 (N,C,H,W), C, H and W the same every time."""
        if self._shape is None:
            self._shape = tuple(images.shape[1:])
            self._digest.update(f"{list(self._shape)}\n".encode())
        if tuple(images.shape[1:]) != self._shape:
            raise ValueError(f"images of shape {tuple(images.shape[1:])} after such of {self._shape}")
        for part in images.split(_PART):
            self._digest.update(part.contiguous().numpy().data)

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


def pixel_hash(images: Tensor) -> str:
    """Of uint8 (N,C,H,W); 64 hex digits."""
    found = PixelHash()
    found.add(images)
    return found.hexdigest()
