"""CIFAR-10's batch files: the official binary version and the python version, as files or inside a tar.gz.

Binary: per image one byte of label and 3,072 of red, green and blue planes, row by row. Python: a pickled
dict with the same planes as an array; it is read as data, no code in it can run (`_BatchUnpickler`).
https://www.cs.toronto.edu/~kriz/cifar.html
"""

from __future__ import annotations

import io
import pickle
import tarfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ddpm.datafiles import CIFAR10_NAMES, DataError, shown

IMAGES_PER_FILE = 10_000
_IMAGE = 3 * 32 * 32

Batch = tuple[np.ndarray, np.ndarray]  #: images uint8 (N,3,32,32), labels uint8 (N,)


def read(paths: Sequence[Path], split: str) -> Batch:
    """A split from its batch files, or from the one archive that holds them.

    Raises DataError, naming the file, its size and the size expected, where one is damaged.
    """
    if len(paths) == 1 and paths[0].name.endswith(".tar.gz"):
        batches = _archive(paths[0], split)
    else:
        batches = [_batch(shown(path), path.name, _content(path)) for path in paths]
    images, labels = zip(*batches, strict=True)
    return np.concatenate(images), np.concatenate(labels)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{shown(path)} cannot be read: {error.strerror or error}") from error


def _archive(path: Path, split: str) -> Iterable[Batch]:
    """The batches inside a tar.gz, in the order of their numbers; nothing is unpacked to the disk."""
    names, found = CIFAR10_NAMES[split], {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                name = member.name.rpartition("/")[2]
                stem = name.removesuffix(".bin")
                if stem in names and member.isfile() and (content := archive.extractfile(member)):
                    found[stem] = _batch(f"{shown(path)}: {name}", name, content.read())
    except (tarfile.TarError, EOFError, zlib.error) as error:
        size = path.stat().st_size
        raise DataError(f"{shown(path)} ({size:,} bytes) is cut short or damaged: {error}") from error
    except OSError as error:
        raise DataError(f"{shown(path)} cannot be read: {error.strerror or error}") from error
    if missing := [name for name in names if name not in found]:
        raise DataError(f"{shown(path)} does not hold {', '.join(missing)}")
    return [found[name] for name in names]


def _batch(shown_as: str, name: str, content: bytes) -> Batch:
    read_batch = _binary if name.endswith(".bin") else _python
    images, labels = read_batch(shown_as, content)
    if labels.min() < 0 or labels.max() > 9:
        wrong = labels.min() if labels.min() < 0 else labels.max()
        raise DataError(f"{shown_as} is damaged: it has a label {wrong}, and there are only 0 to 9")
    return images.reshape(-1, 3, 32, 32), labels.astype(np.uint8)


def _binary(shown_as: str, content: bytes) -> Batch:
    wanted = IMAGES_PER_FILE * (1 + _IMAGE)
    if len(content) != wanted:
        raise DataError(
            f"{shown_as} is {len(content):,} bytes, not the {wanted:,} of a whole CIFAR-10 binary batch"
        )
    rows = np.frombuffer(content, np.uint8).reshape(-1, 1 + _IMAGE)
    return rows[:, 1:], rows[:, 0]


def _python(shown_as: str, content: bytes) -> Batch:
    size = f"({len(content):,} bytes)"
    try:
        batch = _BatchUnpickler(io.BytesIO(content), encoding="latin1").load()
        planes, labels = _content_of(batch["data"]), np.array(batch["labels"], np.int64)
    except Exception as error:  # a damaged pickle fails in as many ways as there are opcodes
        raise DataError(f"{shown_as} {size} is not a CIFAR-10 python batch: {_line(error)}") from error
    wanted = IMAGES_PER_FILE * _IMAGE
    if len(planes) != wanted or labels.shape != (IMAGES_PER_FILE,):
        raise DataError(
            f"{shown_as} {size} holds {len(planes):,} bytes of pixels and {labels.size:,} labels, "
            f"not the {wanted:,} and {IMAGES_PER_FILE:,} of a whole CIFAR-10 batch"
        )
    return np.frombuffer(planes, np.uint8), labels


def _content_of(array: object) -> bytes:
    if not isinstance(array, _Array) or not isinstance(array.content, bytes):
        raise ValueError("its pixels are not an array of bytes")
    return array.content


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


class _Array:
    """Stands in for a pickled array of bytes and keeps nothing but its bytes."""

    content = b""

    def __init__(self, *_: object) -> None:
        """The arguments describe an empty array; what fills it comes by `__setstate__`."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, _shape, dtype, fortran, content = state
        if getattr(dtype, "code", None) != "u1" or fortran:
            raise ValueError("its pixels are not rows of bytes")
        # numpy for Python 2 wrote a str, which arrives decoded
        self.content = content.encode("latin1") if isinstance(content, str) else content


class _Type:
    """Stands in for a pickled dtype and keeps its code."""

    def __init__(self, code: str, *_: object) -> None:
        self.code = code

    def __setstate__(self, _: object) -> None:
        """Byte order and alignment mean nothing to bytes."""


def _latin1(text: str, encoding: str) -> bytes:
    """`_codecs.encode`, as Python 3 pickles bytes for old protocols; of one encoding only."""
    if encoding != "latin1":
        raise ValueError(f"it asks for the codec {encoding!r}")
    return text.encode("latin1")


class _BatchUnpickler(pickle.Unpickler):
    """Reads numbers, texts, lists, dicts and arrays of bytes; whatever else a pickle names is refused."""

    _known = {  # noqa: RUF012
        ("numpy.core.multiarray", "_reconstruct"): _Array,
        ("numpy._core.multiarray", "_reconstruct"): _Array,
        ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _Type,
        ("_codecs", "encode"): _latin1,
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._known:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no CIFAR-10 batch needs")
        return self._known[module, name]
