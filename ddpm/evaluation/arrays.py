"""Arrays in `.npy` and `.npz` files of others: what is in them, and their rows in blocks.

Nothing is unpickled, and what the headers say is looked at before memory is asked for.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from ddpm.datafiles import shown
from ddpm.errors import EngineError

_ENDING = ".npy"


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of one of its arrays."""

    shape: tuple[int, ...]
    dtype: np.dtype
    by_columns: bool  #: in Fortran's order

    def __str__(self) -> str:
        return f"{self.dtype.name} {self.shape}"


def headers(path: Path) -> dict[str, Header]:
    """The arrays of a file by name; that of a `.npy` file is named "".

    Raises EngineError where it is no such file, holds pickled objects, or less than its headers promise.
    """
    with _told(path):
        if not zipfile.is_zipfile(path):
            with path.open("rb") as file:
                found = {"": _kept(_header(file), file, path.stat().st_size)}
        else:
            found = {}
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    if name.endswith(_ENDING):
                        with archive.open(name) as member:
                            size = archive.getinfo(name).file_size
                            found[name.removesuffix(_ENDING)] = _kept(_header(member), member, size)
    if any(header.dtype.hasobject for header in found.values()):
        raise EngineError(
            f"{shown(path)} holds pickled objects, which are not opened: they could run anything"
        )
    return found


def whole(path: Path, name: str) -> np.ndarray:
    """One array. Raises EngineError where its numbers cannot be read."""
    with _told(path):
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            array: np.ndarray = loaded[name]
            return array


def blocks(path: Path, name: str, size: int) -> Iterator[np.ndarray]:
    """An array's rows in order, at most `size` at once: memory holds a block, however many rows there are.

    An array in Fortran's order, whose rows lie apart, is read as a whole.
    """
    with _told(path), _opened(path, name) as file:
        header = _header(file)
        if header.by_columns and len(header.shape) > 1:
            array = whole(path, name)
            yield from (array[start : start + size] for start in range(0, len(array), size))
            return
        row, left = header.shape[1:], header.shape[0]
        while left:
            count = min(size, left)
            wanted = count * math.prod(row) * header.dtype.itemsize
            content = file.read(wanted)
            if len(content) < wanted:
                raise ValueError("it ends too early")
            yield np.frombuffer(content, header.dtype).reshape(count, *row)
            left -= count


@contextmanager
def _opened(path: Path, name: str) -> Iterator[IO[bytes]]:
    if name:
        with zipfile.ZipFile(path) as archive, archive.open(name + _ENDING) as member:
            yield member
    else:
        with path.open("rb") as file:
            yield file


def _header(file: IO[bytes]) -> Header:
    version = npy.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"its format {version} is not known")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, by_columns, dtype = read(file)
    return Header(shape, dtype, by_columns)


def _kept(header: Header, file: IO[bytes], size: int) -> Header:
    """The header just read from a file of `size` bytes, if these are enough for what it promises."""
    if min(header.shape, default=0) < 0:
        raise ValueError(f"its shape {header.shape} is impossible")
    promised = math.prod(header.shape) * header.dtype.itemsize
    if not header.dtype.hasobject and file.tell() + promised > size:
        raise ValueError("it ends too early")
    return header


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What damaged files make zipfile and numpy raise, as one line."""
    try:
        yield
    except OSError as error:
        raise EngineError(f"{shown(path)} cannot be read: {error.strerror or error}") from error
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, KeyError, RuntimeError) as error:
        if isinstance(error, EngineError):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise EngineError(f"{shown(path)} is not a whole .npy or .npz file: {reason}") from error
