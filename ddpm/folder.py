"""Any folder of images as a data set: sub-folders too, cut to squares, broken ones left out and named."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from ddpm.datafiles import DataError, shown

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
_NAMED = 5  # broken files named in the notice
_WORKERS = 8


def read(root: Path, size: int, channels: int) -> tuple[torch.Tensor, torch.Tensor | None, tuple[str, ...]]:
    """(images uint8 (N, channels, size, size), labels int64 (N,) or None, notices), ordered by path.

    Labels are given where every image lies in a sub-folder: the first-level ones, by name, are 0, 1, ….
    Hidden files and folders are left out; links are followed, each folder is read once. Images that cannot be
    read are left out and named in a notice. Raises DataError without a folder or a readable image in it.
    """
    if not root.is_dir():
        raise DataError(f"data.root: {shown(root)} is {'not a folder' if root.exists() else 'missing'}")
    paths = sorted(_images(root), key=lambda path: path.relative_to(root).parts)
    if not paths:
        raise DataError(f"data.root: {shown(root)} has no image in it ({' '.join(e[1:] for e in ENDINGS)})")
    images, broken = _decode(paths, size, channels)
    if len(broken) == len(paths):
        raise DataError(f"data.root: none of the {len(paths):,} images in {shown(root)} could be read")
    notices = (_notice([paths[index].relative_to(root) for index in broken], len(paths)),) if broken else ()
    lost = set(broken)
    kept = [index for index in range(len(paths)) if index not in lost]
    if broken:
        images = images[kept]
    return images, _labels([paths[index].relative_to(root) for index in kept]), notices


def square(image: Image.Image, size: int, channels: int) -> np.ndarray:
    """An opened image as uint8 (channels, size, size): the middle square, resized by Lanczos, antialiased.

    The first frame, turned as its EXIF data says. What is transparent is put on white; 16-bit grey is scaled
    to 8.
    """
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bit(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("RGB" if channels == 3 else "L")
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    image = image.resize((size, size), Image.Resampling.LANCZOS, box=(left, top, left + side, top + side))
    array = np.asarray(image)
    return array[None] if channels == 1 else array.transpose(2, 0, 1)


def _eight_bit(image: Image.Image) -> Image.Image:
    """Grey of 16 bits scaled by 1/257; of floats, from 0…1 where none is above, else taken as 0…255."""
    values = np.asarray(image).astype(np.float64)
    if image.mode == "F":
        values = np.nan_to_num(values) * (255 if np.nanmax(values) <= 1 else 1)
    else:
        values = values / 257
    return Image.fromarray((values + 0.5).clip(0, 255).astype(np.uint8))


def _decode(paths: list[Path], size: int, channels: int) -> tuple[torch.Tensor, list[int]]:
    """(one image per path, indices of those that cannot be read); threads decode straight into place."""
    try:
        images = torch.zeros((len(paths), channels, size, size), dtype=torch.uint8)
    except RuntimeError as error:
        gigabytes = len(paths) * channels * size * size / 1e9
        raise DataError(
            f"data.root: {len(paths):,} images of {size}×{size} take {gigabytes:,.1f} GB: too much"
        ) from error
    target = images.numpy()

    def work(first: int) -> list[int]:
        broken = []
        for index in range(first, len(paths), _WORKERS):
            try:
                with Image.open(paths[index]) as image:
                    target[index] = square(image, size, channels)
            except Exception:  # decoders of foreign bytes raise anything; the file is named in the notice
                broken.append(index)
        return broken

    with ThreadPoolExecutor(_WORKERS) as pool:
        broken = [index for part in pool.map(work, range(_WORKERS)) for index in part]
    return images, sorted(broken)


def _images(root: Path) -> Iterator[Path]:
    seen: set[tuple[int, int]] = set()
    waiting = [str(root)]
    while waiting:
        folder = waiting.pop()
        try:
            status = Path(folder).stat()
            if (status.st_dev, status.st_ino) in seen:  # a link that leads back
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as found:
                entries = [entry for entry in found if not entry.name.startswith(".")]
        except OSError as error:
            raise DataError(f"data.root: {shown(Path(folder))} cannot be read: {error.strerror}") from error
        waiting += sorted((entry.path for entry in entries if entry.is_dir()), reverse=True)
        yield from (Path(e.path) for e in entries if e.name.lower().endswith(ENDINGS) and e.is_file())


def _labels(paths: list[Path]) -> torch.Tensor | None:
    if any(len(path.parts) == 1 for path in paths):
        return None
    classes = {name: label for label, name in enumerate(sorted({path.parts[0] for path in paths}))}
    return torch.tensor([classes[path.parts[0]] for path in paths])


def _notice(broken: list[Path], total: int) -> str:
    names = ", ".join(shown(path) for path in broken[:_NAMED])
    more = f" and {len(broken) - _NAMED:,} more" if len(broken) > _NAMED else ""
    return f"{len(broken):,} of {total:,} images could not be read: {names}{more}"
