"""Data sets as one uint8 tensor each: read, brought to the configured size and channels, kept in memory.

What is not below the data root is downloaded there by torchvision, which checks it (`ddpm.download`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from ddpm import cifar, datafiles, download, folder, idx
from ddpm.config import DataConfig
from ddpm.datafiles import DataError, shown

__all__ = ["DataError", "ImageSet", "load"]

_GREY_ON_BLACK = ("mnist", "fashion-mnist", "digits")
_CHUNK = 1024  # images resized at once: bounds the float copies


@dataclass(frozen=True, slots=True)
class ImageSet:
    """A split of a data set.

    images: uint8 (N,C,H,W), contiguous, on the CPU; labels: int64 (N,), None where there are none;
    notices: what a person should know, a line each (files that could not be read).
    """

    images: torch.Tensor
    labels: torch.Tensor | None
    notices: tuple[str, ...] = ()


def load(config: DataConfig, root: Path, split: str = "train") -> ImageSet:
    """The data set of a configuration, with images of `config.shape`.

    root: the data root, for dataset `folder` the folder of the images; split: "train" or "test"
    (`digits` and `folder` have only "train").

    Another size than the data set's own: `mnist`, `fashion-mnist` and `digits` get a black rim where the
    growth is even and below a quarter (28 to 32, as is usual), all else an antialiased bicubic resize; a
    folder's images are resized by their shorter side and cut to the middle square. Grey images become colour
    by repeating, colour ones grey by ITU-R 601 luma.

    Raises DataError where data is missing (and cannot be downloaded), damaged, or has no such split.
    """
    if split not in ("train", "test"):
        raise DataError(f"there is no split {split!r}; there are train and test")
    channels, size, _ = config.shape
    root = root.expanduser()
    if split not in datafiles.splits(config.dataset):
        raise DataError(f"data set {config.dataset} has no test split: all of its images are for training")
    if config.dataset == "folder":
        images, labels, notices = folder.read(root, size, channels)
        return ImageSet(images, labels, notices)
    pixels, classes = _read(config.dataset, root, split)
    if channels == 1:  # first what leaves less to resize
        pixels = _with_channels(pixels, 1)
    pixels = _with_channels(_with_size(pixels, size, config.dataset in _GREY_ON_BLACK), channels)
    return ImageSet(pixels.contiguous(), classes.long())


def _read(dataset: str, root: Path, split: str) -> tuple[torch.Tensor, torch.Tensor]:
    """(images uint8 (N,C,H,W), labels (N,)) as they are stored."""
    if dataset == "digits":
        images, labels = _digits()
    elif dataset == "cifar10":
        images, labels = cifar.read(_files(dataset, root, split), split)
    else:
        image_file, label_file = _files(dataset, root, split)
        pixels, labels = idx.read_pair(image_file, label_file, (28, 28))
        images = pixels[:, None]
    return torch.from_numpy(images), torch.from_numpy(labels)


def _files(dataset: str, root: Path, split: str) -> list[Path]:
    if not datafiles.find(root, dataset, split):
        download.fetch(dataset, root, split)
    found = datafiles.find(root, dataset, split)
    if not found:
        raise DataError(
            f"data set {dataset} is not in {shown(root)}: its files went away while they were looked for"
        )
    return found


def _digits() -> tuple[np.ndarray, np.ndarray]:
    """The bundled digits (see digits/README.md); their 0…16 scaled to 0…255, rounded half up."""
    with (resources.files("ddpm") / "digits" / "digits.npz").open("rb") as file:
        stored = np.load(file, allow_pickle=False)
        images, labels = stored["images"], stored["labels"]
    return ((images.astype(np.uint16) * 255 + 8) // 16).astype(np.uint8)[:, None], labels


def _with_size(images: torch.Tensor, size: int, grey_on_black: bool) -> torch.Tensor:
    native = images.shape[-1]
    growth = size - native
    if growth == 0:
        return images
    if grey_on_black and growth > 0 and growth % 2 == 0 and growth * 4 < native:
        return F.pad(images, (growth // 2,) * 4)
    resized = torch.empty((*images.shape[:2], size, size), dtype=torch.uint8)
    # The resize of a column as a matrix, read off the unit vectors: two products are many times faster
    # than interpolating image by image.
    unit = torch.eye(native)[None, None]
    weights = F.interpolate(unit, (size, native), mode="bicubic", antialias=True)[0, 0]
    for part, out in _parts(images, resized):
        out.copy_((weights @ part.float() @ weights.T + 0.5).clamp_(0, 255))
    return resized


def _with_channels(images: torch.Tensor, channels: int) -> torch.Tensor:
    if images.shape[1] == channels:
        return images
    if channels == 3:
        return images.repeat(1, 3, 1, 1)
    grey = torch.empty((len(images), 1, *images.shape[2:]), dtype=torch.uint8)
    for part, out in _parts(images, grey):
        red, green, blue = part.int().unbind(1)
        out[:, 0] = (red * 299 + green * 587 + blue * 114 + 500) // 1000
    return grey


def _parts(*tensors: torch.Tensor) -> Iterator[tuple[torch.Tensor, ...]]:
    """The same pieces of all."""
    for start in range(0, len(tensors[0]), _CHUNK):
        yield tuple(tensor[start : start + _CHUNK] for tensor in tensors)
