"""The idx format of MNIST and Fashion-MNIST, plain or gzipped.

A header of big-endian 32-bit numbers (a magic number that ends in the count of dimensions, then each
dimension), then one byte per value: http://yann.lecun.com/exdb/mnist/.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ddpm.datafiles import DataError, shown

_UBYTE = 0x08
_CHUNK = 1 << 22


def read(path: Path, dimensions: int) -> np.ndarray:
    """The values of an idx file of unsigned bytes: writable uint8 of that many dimensions.

    Raises DataError, naming the file, its size and the size expected, where it is cut short, too long or
    another kind of file.
    """
    try:
        with path.open("rb") as file:
            if path.suffix != ".gz":
                return _plain(path, file, dimensions)
            with gzip.open(file) as unpacked:
                return _packed(path, unpacked, dimensions)
    except EOFError:
        raise DataError(f"{shown(path)} is cut short: its {_size(path)} are not a whole gzip file") from None
    except (gzip.BadGzipFile, zlib.error):
        raise DataError(f"{shown(path)} ({_size(path)}) is damaged: it is not a whole gzip file") from None
    except OSError as error:
        raise DataError(f"{shown(path)} cannot be read: {error.strerror or error}") from error


def read_pair(images: Path, labels: Path, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """(images uint8 (N, *shape), labels uint8 (N,)) that belong together.

    Raises DataError as `read` does, and where the two do not fit.
    """
    pixels, classes = read(images, 3), read(labels, 1)
    if pixels.shape[1:] != shape:
        stored = f"{pixels.shape[1]}×{pixels.shape[2]}"
        raise DataError(f"{shown(images)} holds images of {stored}, not {shape[0]}×{shape[1]}")
    if len(pixels) != len(classes):
        counts = f"{len(classes):,} labels for the {len(pixels):,} images"
        raise DataError(f"{shown(labels)} holds {counts} of {shown(Path(images.name))}")
    if not len(pixels):
        raise DataError(f"{shown(images)} holds no images")
    return pixels, classes


def _plain(path: Path, file: BinaryIO, dimensions: int) -> np.ndarray:
    shape = _shape(path, file, dimensions)
    size, wanted = path.stat().st_size, file.tell() + math.prod(shape)
    if size != wanted:
        what = "cut short" if size < wanted else "too long"
        raise DataError(f"{shown(path)} is {what}: {size:,} bytes, {wanted:,} expected")
    return np.fromfile(file, np.uint8).reshape(shape)


def _packed(path: Path, file: gzip.GzipFile, dimensions: int) -> np.ndarray:
    """Reads no more than the header calls for, and one byte, whatever the file would unpack to."""
    shape = _shape(path, file, dimensions)
    header, count = file.tell(), math.prod(shape)
    values = bytearray()
    while len(values) <= count and (chunk := file.read(min(_CHUNK, count + 1 - len(values)))):
        values += chunk
    if len(values) != count:
        got = f"{header + len(values):,} bytes{' or more' if len(values) > count else ''}"
        raise DataError(f"{shown(path)} ({_size(path)}) unpacks to {got}, {header + count:,} expected")
    return np.frombuffer(values, np.uint8).reshape(shape)


def _shape(path: Path, file: BinaryIO | gzip.GzipFile, dimensions: int) -> list[int]:
    header, magic = file.read(4 + 4 * dimensions), bytes((0, 0, _UBYTE, dimensions))
    if len(header) < 4 + 4 * dimensions or header[:4] != magic:
        raise DataError(
            f"{shown(path)} ({_size(path)}) is not an idx file of {dimensions} dimensions: "
            f"it begins with {header[:4].hex() or 'nothing'} instead of {magic.hex()}"
        )
    return [int.from_bytes(header[start : start + 4], "big") for start in range(4, len(header), 4)]


def _size(path: Path) -> str:
    return f"{path.stat().st_size:,} bytes"
