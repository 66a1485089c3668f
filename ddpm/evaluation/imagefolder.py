"""A folder of images as it is: no pixel is resized or turned, and every image counts.

Unlike `ddpm.folder`, which makes training data of any folder, this one refuses what it cannot take as it is:
a distance between sets of images is a statement about each of them.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ddpm.datafiles import shown
from ddpm.errors import EngineError

#: Those of pytorch-fid, in capitals too.
ENDINGS = (".bmp", ".jpg", ".jpeg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
_THREADS = 8
_NAMED = 3  # files named in a message

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Look:
    """What the header of a file says, or why it has none."""

    size: tuple[int, int] = (0, 0)
    traits: tuple[str, ...] = ()
    fault: str | None = None


class ImageFolder:
    """The images that lie in a folder itself, sorted by name; of one size.

    Raises EngineError where two differ in size, where one cannot be read, and where there is none. All
    headers are read at once, so that this is said before any work is done; a file whose pixels turn out to
    be damaged is named when its turn comes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._paths = _list(folder)
        if not self._paths:
            raise EngineError(f"{shown(folder)} has no image in it{_elsewhere(folder)}")
        with ThreadPoolExecutor(_THREADS) as pool:
            looks = list(pool.map(_look, self._paths))
        _refuse_faults(self._paths, looks)
        self.size = looks[0].size  #: (width, height) in pixels
        for path, look in zip(self._paths, looks, strict=True):
            if look.size != self.size:
                one, other = (shown(Path(p.name)) for p in (self._paths[0], path))
                raise EngineError(
                    f"{shown(folder)} mixes sizes: {one} is {_by(self.size)}, {other} is {_by(look.size)}; "
                    "resize them first, all in the same way"
                )
        self._traits = Counter(trait for look in looks for trait in look.traits)

    def __len__(self) -> int:
        return len(self._paths)

    @property
    def notices(self) -> tuple[str, ...]:
        """What a person should know of the files, a line each."""
        return tuple(
            f"{count:,} of {len(self):,} images {trait}" for trait, count in sorted(self._traits.items())
        )

    def batches(self, size: int) -> Iterator[Tensor]:
        """uint8 (N,3,H,W), N at most `size`, in order; threads decode ahead of whoever takes them.

        Every image is converted to RGB as Pillow does it, and so pytorch-fid: grey is repeated, what is
        transparent is not, and more than 8 bits are cut off.
        """
        images = _ahead(self._decoded, self._paths, size + _THREADS)
        batch: list[np.ndarray] = []
        for image in images:
            batch.append(image)
            if len(batch) == size:
                yield _stack(batch)
                batch = []
        if batch:
            yield _stack(batch)

    def _decoded(self, path: Path) -> np.ndarray:
        """uint8 (H,W,3)."""
        try:
            with Image.open(path) as image:
                pixels = np.asarray(image.convert("RGB"))
        except MemoryError:
            raise
        except Exception as error:  # decoders of foreign bytes raise anything
            raise EngineError(f"{shown(path)} cannot be read: {_reason(error)}") from error
        if (pixels.shape[1], pixels.shape[0]) != self.size:
            raise EngineError(f"{shown(path)} has changed while it was looked at")
        return pixels


def _ahead(work: Callable[[Path], T], items: Sequence[Path], ahead: int) -> Iterator[T]:
    """`work` of each item in order, done by threads up to `ahead` items before it is asked for."""
    with ThreadPoolExecutor(_THREADS) as pool:
        waiting: deque[Future[T]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _stack(images: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()


def _list(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if _is_image(entry))
    except OSError as error:
        raise EngineError(f"{shown(folder)} cannot be read: {error.strerror or error}") from error
    return [folder / name for name in names]


def _is_image(entry: os.DirEntry[str]) -> bool:
    """By its name. A link that leads nowhere is an image that cannot be read; pipes and the like are none."""
    if not entry.name.lower().endswith(ENDINGS) or entry.name.startswith("."):
        return False
    return entry.is_file() or (entry.is_symlink() and not Path(entry.path).exists())


def _elsewhere(folder: Path) -> str:
    """Where its images may be, for a message: sub-folders are not read."""
    folders = [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    holding = [shown(Path(path.name)) for path in folders if _list(path)]
    if not holding:
        return f" ({' '.join(ending[1:] for ending in ENDINGS)})"
    more = f" and {len(holding) - _NAMED:,} more" if len(holding) > _NAMED else ""
    verb = "has" if len(holding) == 1 else "have"
    return f"; sub-folders are not read, and {', '.join(holding[:_NAMED])}{more} {verb} some: name one"


def _look(path: Path) -> _Look:
    try:
        with Image.open(path) as image:
            traits = []
            if image.mode.startswith("I") or image.mode == "F":
                traits.append("have more than 8 bits: values above 255 become 255, as pytorch-fid has it")
            if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
                traits.append("have transparency, which is ignored, as pytorch-fid has it")
            if image.format == "JPEG":
                traits.append("are JPEG: the traces of its compression count in every score")
            return _Look(image.size, tuple(traits))
    except MemoryError:
        raise
    except Exception as error:  # decoders of foreign bytes raise anything
        return _Look(fault=_reason(error))


def _refuse_faults(paths: Sequence[Path], looks: Sequence[_Look]) -> None:
    faulty = [(path, look.fault) for path, look in zip(paths, looks, strict=True) if look.fault]
    if not faulty:
        return
    path, fault = faulty[0]
    if len(faulty) == 1:
        raise EngineError(f"{shown(path)} cannot be read: {fault}")
    names = ", ".join(shown(Path(path.name)) for path, _ in faulty[:_NAMED])
    more = f" and {len(faulty) - _NAMED:,} more" if len(faulty) > _NAMED else ""
    raise EngineError(
        f"{shown(path.parent)}: {len(faulty):,} of {len(paths):,} images cannot be read: {names}{more}"
    )


def _reason(error: Exception) -> str:
    if type(error).__name__ == "UnidentifiedImageError":
        return "it is no image that Pillow knows"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error).splitlines() or [type(error).__name__])[0]


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]}"
