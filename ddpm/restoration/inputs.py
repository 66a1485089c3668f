"""The inputs of a restoration, in a fixed order: files, folders of images, splits of data sets."""

from __future__ import annotations

import typing
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from torch import Tensor

from ddpm import data, imagefiles
from ddpm.config import DataConfig, Dataset
from ddpm.datafiles import shown
from ddpm.errors import EngineError
from ddpm.restoration import pictures
from ddpm.restoration.pictures import Picture


@dataclass(frozen=True, slots=True)
class Source:
    """One input."""

    number: int  #: its place among all
    name: str  #: as a person is told of it
    target: str  #: path of its result below the output folder, with `/`, ending in .png
    path: Path | None  #: None for an image of a data set
    image: tuple[int, int] = (0, 0)  #: of a data set: which of `Sources.sets`, and which image there


class Sources(Sequence[Source]):
    """All inputs. Files are read when they are asked for, data sets at once."""

    def __init__(self) -> None:
        self._all: list[Source] = []
        self._sets: list[Tensor] = []
        self._taken: set[str] = set()  # targets, casefolded: no file system may take two for one

    @typing.overload
    def __getitem__(self, index: int) -> Source: ...

    @typing.overload
    def __getitem__(self, index: slice) -> list[Source]: ...

    def __getitem__(self, index: int | slice) -> Source | list[Source]:
        return self._all[index]

    def __len__(self) -> int:
        return len(self._all)

    def picture(self, source: Source) -> Picture:
        """Raises PictureError where it cannot be read."""
        if source.path is not None:
            return pictures.read(source.path)
        part, index = source.image
        return pictures.from_uint8(self._sets[part][index])

    def add_file(self, path: Path, target: PurePosixPath) -> None:
        self._all.append(Source(len(self), shown(path), self._free(target), path))

    def add_set(self, name: str, images: Tensor) -> None:
        stem = name.replace(":", "-")
        for index in range(len(images)):
            target = self._free(PurePosixPath(f"{stem}-{index:06d}"))
            self._all.append(Source(len(self), f"{name} {index}", target, None, (len(self._sets), index)))
        self._sets.append(images)

    def _free(self, target: PurePosixPath) -> str:
        """`target` with the ending .png, or with -2, -3, … before it where that is another's."""
        number, stem = 1, target.stem if target.suffix.lower() in imagefiles.ENDINGS else target.name
        name = f"{stem}.png"
        while str(target.with_name(name)).casefold() in self._taken:
            number += 1
            name = f"{stem}-{number}.png"
        found = str(target.with_name(name))
        self._taken.add(found.casefold())
        return found


def listing(inputs: Sequence[str], own: DataConfig, data_root: Path) -> Sources:
    """What the inputs name, in their order, folders by path, data sets by index.

    `own` is what the network learned from: of that data set the images come in the network's size, of
    others in their own. Raises EngineError for a path that is not there, an empty folder, a data set or
    split that does not exist or cannot be loaded.
    """
    found = Sources()
    for text in inputs:
        dataset, colon, split = text.rpartition(":")
        path = Path(text)
        if colon and dataset in typing.get_args(Dataset) and dataset != "folder" and not path.exists():
            config = own if dataset == own.dataset else DataConfig(dataset=typing.cast(Dataset, dataset))
            found.add_set(text, data.load(config, data_root, split).images)
        elif path.is_dir():
            _add_folder(found, path)
        elif path.exists():
            found.add_file(path, PurePosixPath(path.name))
        else:
            raise EngineError(f"{shown(path)} does not exist")
    return found


def _add_folder(found: Sources, folder: Path) -> None:
    names, _ = imagefiles.find(folder)
    if not names:
        endings = " ".join(ending[1:] for ending in imagefiles.ENDINGS)
        raise EngineError(f"{shown(folder)} has no image in it ({endings})")
    for name in names:
        found.add_file(folder / name, PurePosixPath(name.as_posix()))
