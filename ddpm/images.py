"""Images as they leave the engine: uint8, rounded in one place, tiled into grids, written as PNG."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from ddpm import atomic
from ddpm.errors import EngineError


def to_uint8(x: torch.Tensor) -> torch.Tensor:
    """Network values as pixels: float in [-1, 1] (N,C,H,W) to uint8 of the same shape and device.

    Rounds half up, `⌊127.5 x + 128⌋`, and clips what lies outside; the inverse of `v / 127.5 - 1` for every
    pixel value v. NaN becomes 0. Nothing else in the project rounds images, so that every metric and file
    sees the same pixels.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    return (x * 127.5 + 128).nan_to_num(nan=0.0).clamp(0, 255).to(torch.uint8)


def grid(images: torch.Tensor, columns: int | None = None, gap: int = 1) -> np.ndarray:
    """Images row by row on one black sheet.

    images: uint8 (N,C,H,W), N at least 1, C 1 or 3; columns: images per row, unset: as square as can be;
    gap: pixels between neighbours, none at the rim. Returns uint8 (H', W', C).
    Raises ValueError for anything else.
    """
    if images.dtype != torch.uint8 or images.ndim != 4 or len(images) == 0:
        raise ValueError(f"a grid takes uint8 images (N,C,H,W), not {images.dtype} {tuple(images.shape)}")
    count, channels, height, width = images.shape
    columns = min(count, columns or math.isqrt(count - 1) + 1)
    if columns < 1 or gap < 0:
        raise ValueError(f"a grid of {columns} columns with a gap of {gap} cannot be drawn")
    rows = -(-count // columns)
    sheet = np.zeros((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), np.uint8)
    for index, image in enumerate(images.cpu().permute(0, 2, 3, 1).numpy()):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet


def save_png(path: Path, array: np.ndarray, text: Mapping[str, str] | None = None) -> None:
    """Write a PNG (see `png`) that is whole or not there (a temporary file beside it, then a rename).

    Raises ValueError as `png` does, OSError where it cannot be written (a full disk): nothing is left.
    """
    content = png(array, text)
    with atomic.replacing(path) as aside:
        aside.write_bytes(content)


def png(array: np.ndarray, text: Mapping[str, str] | None = None) -> bytes:
    """A PNG file's content.

    array: uint8 (H,W), (H,W,1) or (H,W,3); text: keywords (1 to 79 Latin-1 characters) and values, kept
    inside the file as tEXt chunks, as iTXt where a value is not Latin-1.
    Raises ValueError for anything else.
    """
    if (
        array.dtype != np.uint8
        or array.ndim not in (2, 3)
        or (array.ndim == 3 and array.shape[2] not in (1, 3))
    ):
        raise ValueError(f"a PNG takes uint8 (H,W), (H,W,1) or (H,W,3), not {array.dtype} {array.shape}")
    for key in text or {}:
        if not 1 <= len(key) <= 79:
            raise ValueError(f"a PNG keyword has 1 to 79 characters, not {len(key)}: {key!r}")
    return encoded(
        Image.fromarray(array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array), text
    )


def encoded(image: Image.Image, text: Mapping[str, str] | None = None) -> bytes:
    """An image as a PNG file's content, with the texts in it as `png` says."""
    chunks = PngInfo()
    for key, value in (text or {}).items():
        chunks.add_text(key, value.encode("utf-8", "backslashreplace").decode("utf-8"))  # lone surrogates
    stream = io.BytesIO()
    image.save(stream, format="PNG", pnginfo=chunks)
    return stream.getvalue()


def read_png_text(path: Path) -> dict[str, str]:
    """The texts inside a PNG (see `save_png`). Raises EngineError where it is no whole PNG."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            image.load()  # texts may stand behind the pixels
            return {str(key): str(value) for key, value in image.text.items()}  # type: ignore[attr-defined]
    except FileNotFoundError:
        raise EngineError(f"{path} does not exist") from None
    except (UnidentifiedImageError, SyntaxError, ValueError):
        raise EngineError(f"{path} is not a PNG image") from None
    except OSError as error:
        raise EngineError(f"{path} cannot be read: {error.strerror or error}") from error
