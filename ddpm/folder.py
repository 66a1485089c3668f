"""Any folder of images as a data set: sub-folders too, cut to squares, broken ones left out and named."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from ddpm.datafiles import DataError, shown
from ddpm.imagefiles import ENDINGS, find

_NAMED = 50  # broken files named in the notice
_WORKERS = 8


def read(root: Path, size: int, channels: int) -> tuple[torch.Tensor, torch.Tensor | None, tuple[str, ...]]:
    """(images uint8 (N, channels, size, size), labels int64 (N,) or None, notices), ordered by path.

    Labels are given where every image lies in a sub-folder: the first-level ones, by name, are 0, 1, ….
    Hidden files and folders are left out; links are followed, each folder is read once. Images that cannot be
    read are left out and named in a notice, and so are folders. Raises DataError without any readable image.
    """
    if not root.is_dir():
        raise DataError(f"data.root: {shown(root)} is {'not a folder' if root.exists() else 'missing'}")
    names, closed = find(root)
    notices = [f"folder {shown(name)} could not be read" for name in closed]
    if not names:
        endings = " ".join(ending[1:] for ending in ENDINGS)
        raise DataError("; ".join([f"data.root: {shown(root)} has no image in it ({endings})", *notices]))
    images, broken = _decode([root / name for name in names], size, channels)
    if broken:
        notices.append(_notice([names[index] for index in sorted(broken)], len(names)))
    if len(broken) == len(names):
        raise DataError(f"data.root: {shown(root)}: {notices[-1]}")
    kept = [index for index in range(len(names)) if index not in broken]
    for place, index in enumerate(kept):
        if place != index:  # moves up in place: a second copy might not fit
            images[place] = images[index]
    return images[: len(kept)], _labels([names[index] for index in kept]), tuple(notices)


def square(image: Image.Image, size: int, channels: int) -> np.ndarray:
    """An opened image as uint8 (channels, size, size): the middle square, resized by Lanczos, antialiased.

    The first frame, turned as its EXIF data says. What is transparent is put on white; 16-bit grey is scaled
    to 8.
    """
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bit(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    mode = "RGB" if channels == 3 else "L"
    image = image if image.mode == mode else image.convert(mode)
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


def _decode(paths: list[Path], size: int, channels: int) -> tuple[torch.Tensor, set[int]]:
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
            except MemoryError:
                raise
            except Exception:  # decoders of foreign bytes raise anything; the file is named in the notice
                broken.append(index)
        return broken

    with ThreadPoolExecutor(_WORKERS) as pool:
        return images, {index for part in pool.map(work, range(_WORKERS)) for index in part}


def _labels(paths: list[Path]) -> torch.Tensor | None:
    if any(len(path.parts) == 1 for path in paths):
        return None
    classes = {name: label for label, name in enumerate(sorted({path.parts[0] for path in paths}))}
    return torch.tensor([classes[path.parts[0]] for path in paths])


def _notice(broken: list[Path], total: int) -> str:
    names = ", ".join(shown(path) for path in broken[:_NAMED])
    more = f" and {len(broken) - _NAMED:,} more" if len(broken) > _NAMED else ""
    return f"{len(broken):,} of {total:,} images could not be read: {names}{more}"
