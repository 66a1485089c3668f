"""What two sets of images may be given as: a folder, a file of arrays or statistics, a data set's name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor

from ddpm import datafiles
from ddpm.config import NATIVE_SHAPES, DataConfig, Dataset
from ddpm.datafiles import shown
from ddpm.errors import EngineError
from ddpm.evaluation import arrays, statfile
from ddpm.evaluation.arrays import Header
from ddpm.evaluation.imagefolder import ImageFolder
from ddpm.evaluation.moments import LARGEST, Statistics

#: Data sets that have a name of their own.
DATASETS = tuple(name for name in get_args(Dataset) if name != "folder")
_NAME = re.compile(r"(?P<dataset>[\w-]+)(:(?P<split>[\w-]+))?(@(?P<size>\d+))?")
#: Names of arrays that are taken where a file has several that would do.
_USUAL = ("arr_0", "images", "samples", "features")


@dataclass(frozen=True, slots=True)
class Images:
    """Images that are read in batches."""

    name: str  #: as it was given
    count: int
    size: tuple[int, int]  #: (width, height) in pixels
    reader: ImageFolder | ImageArray
    notices: tuple[str, ...] = ()

    def batches(self, size: int) -> Iterator[Tensor]:
        """uint8 (N,C,H,W), C 1 or 3, N at most `size`, in order."""
        return self.reader.batches(size)


@dataclass(frozen=True, slots=True)
class FeatureRows:
    """Features that somebody computed; of which network, the file does not say."""

    name: str
    count: int
    dimension: int
    path: Path
    key: str

    def batches(self, size: int) -> Iterator[np.ndarray]:
        """Floats (N,D), N at most `size`, in order."""
        return arrays.blocks(self.path, self.key, size)


@dataclass(frozen=True, slots=True)
class Known:
    """Statistics from a file, and what it says of them ({}: nothing, and their count is 0)."""

    name: str
    path: Path
    statistics: Statistics
    meta: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Named:
    """A split of a data set."""

    name: str
    data: DataConfig
    split: str


Source = Images | FeatureRows | Known | Named


class ImageArray:
    """uint8 images in an array: (N,H,W) grey, (N,H,W,1), (N,H,W,3), or with the channels before H and W."""

    def __init__(self, path: Path, key: str, shape: tuple[int, ...]) -> None:
        self._path, self._key = path, key
        self._channels_last = len(shape) == 4 and shape[3] in (1, 3)
        height, width = shape[1:3] if len(shape) == 3 or self._channels_last else shape[2:4]
        self.size = (width, height)

    def batches(self, size: int) -> Iterator[Tensor]:
        """uint8 (N,C,H,W), C 1 or 3, N at most `size`, in order."""
        for block in arrays.blocks(self._path, self._key, size):
            images = torch.from_numpy(np.array(block))
            if images.ndim == 3:
                images = images[:, None]
            elif self._channels_last:
                images = images.permute(0, 3, 1, 2)
            yield images.contiguous()


def open_source(text: str) -> Source:
    """What `text` means: the path of a folder or file, else NAME[:SPLIT][@SIZE] of a data set.

    A folder holds images (see `ddpm.evaluation.imagefolder`); `.npz` and `.npy` files hold uint8 images,
    features (floats (N,D)), or statistics (ours or pytorch-fid's). The split is train where it is not given,
    the size the data set's own. Raises EngineError in one line for anything else, and for fewer than two
    images.
    """
    path, named = Path(text), _named(text)
    if named is not None:
        if text == named.data.dataset and path.exists():
            raise EngineError(
                f"{text} is a data set and also a file or folder here: write {text}:{named.split} or ./{text}"
            )
        return named
    if path.is_dir():
        folder = ImageFolder(path)
        _enough(text, len(folder))
        return Images(text, len(folder), folder.size, folder, folder.notices)
    if path.exists():
        return _from_file(text, path)
    near = difflib.get_close_matches(text.lower().partition(":")[0].partition("@")[0], DATASETS, 1, 0.6)
    raise EngineError(
        f"{shown(path)} is no folder or file here, and no data set; there are {', '.join(DATASETS)}"
        + (f"; did you mean {near[0]}?" if near else "")
    )


def _named(text: str) -> Named | None:
    found = _NAME.fullmatch(text)
    if found is None or found["dataset"] not in DATASETS:
        return None
    dataset, split = found["dataset"], found["split"] or "train"
    splits = datafiles.splits(dataset)
    if split not in splits:
        raise EngineError(f"{dataset} has no split {split!r}; it has {' and '.join(splits)}")
    size = int(found["size"]) if found["size"] else NATIVE_SHAPES[dataset][0]
    if not 4 <= size <= 1024:
        raise EngineError(f"{text}: images of {size}×{size} pixels are not made; 4 to 1024 are")
    return Named(text, DataConfig.model_validate({"dataset": dataset, "image_size": size}), split)


def _from_file(text: str, path: Path) -> Source:
    if path.suffix.lower() not in (".npz", ".npy"):
        raise EngineError(
            f"{shown(path)} is none of what can be compared: a folder of images, an .npz or .npy file, or a "
            f"data set ({', '.join(DATASETS)})"
        )
    found = arrays.headers(path)
    if statfile.holds_statistics(set(found)):
        statistics, meta = statfile.load(path)
        return Known(text, path, statistics, meta)
    key = _chosen(path, found)
    header = found[key]
    _enough(text, header.shape[0])
    if header.dtype.kind == "f":
        if header.shape[1] > LARGEST:
            raise EngineError(
                f"{shown(path)} has {header.shape[1]:,} features an image; up to {LARGEST:,} are compared"
            )
        return FeatureRows(text, header.shape[0], header.shape[1], path, key)
    images = ImageArray(path, key, header.shape)
    return Images(text, header.shape[0], images.size, images)


def _chosen(path: Path, found: dict[str, Header]) -> str:
    """The one array that holds images or features."""
    fitting = [key for key, header in found.items() if _fits(header)]
    usual = [key for key in _USUAL if key in fitting]
    if len(fitting) == 1 or usual:
        return (usual or fitting)[0]
    if fitting:
        raise EngineError(f"{shown(path)} has several arrays that could be meant: {', '.join(fitting)}")
    seen = "; ".join(f"{key} {header}".strip() for key, header in found.items()) or "nothing"
    raise EngineError(
        f"{shown(path)} holds no uint8 images (N,H,W[,C]) and no features (N,D): {seen}{_hint(found)}"
    )


def _fits(header: Header) -> bool:
    shape = header.shape
    if header.dtype.kind == "f":
        return len(shape) == 2 and shape[1] > 0
    if header.dtype != np.uint8 or 0 in shape[1:]:
        return False
    if len(shape) == 4:
        return shape[3] in (1, 3) or shape[1] in (1, 3)
    return len(shape) == 3 and shape[2] > 4  # else it is a single image (H,W,C)


def _hint(found: dict[str, Header]) -> str:
    """What most likely went wrong with images of another kind."""
    if any(len(header.shape) in (3, 4) and header.dtype != np.uint8 for header in found.values()):
        return "; images are compared as they are saved: round them to 0…255 as uint8"
    if any(header.dtype == np.uint8 and header.shape[-1:] == (4,) for header in found.values()):
        return "; leave the transparency out"
    return ""


def _enough(text: str, count: int) -> None:
    if count < 2:
        raise EngineError(
            f"{shown(Path(text))} has {'one image' if count else 'no image'}; a distance needs at least two"
        )
