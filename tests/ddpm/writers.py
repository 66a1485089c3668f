"""Writes small data sets in the formats of the real ones."""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile
from pathlib import Path

import numpy as np

CIFAR_FILES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")


def idx_bytes(array: np.ndarray) -> bytes:
    header = bytes((0, 0, 8, array.ndim)) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return header + array.astype(np.uint8).tobytes()


def write(path: Path, content: bytes) -> Path:
    """Whole file, packed if the name ends in .gz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)
    return path


def mnist_like(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (count, 28, 28), np.uint8), random.integers(0, 10, count, np.uint8)


def write_mnist(folder: Path, ending: str = "", train: int = 12, test: int = 5, seed: int = 0) -> None:
    """The four idx files, straight into `folder`; a split has the images of `mnist_like(count, seed)`."""
    for prefix, count in (("train", train), ("t10k", test)):
        images, labels = mnist_like(count, seed)
        write(folder / f"{prefix}-images-idx3-ubyte{ending}", idx_bytes(images))
        write(folder / f"{prefix}-labels-idx1-ubyte{ending}", idx_bytes(labels))


def cifar_like(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(images (6 files, count, 3, 32, 32), labels (6 files, count))."""
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (6, count, 3, 32, 32), np.uint8), random.integers(
        0, 10, (6, count), np.uint8
    )


def cifar_binary(count: int, seed: int = 0) -> dict[str, bytes]:
    images, labels = cifar_like(count, seed)
    rows = np.concatenate([labels[..., None], images.reshape(6, count, -1)], axis=-1)
    return {f"{name}.bin": rows[index].tobytes() for index, name in enumerate(CIFAR_FILES)}


def cifar_python(count: int, seed: int = 0, protocol: int = 2) -> dict[str, bytes]:
    images, labels = cifar_like(count, seed)
    return {
        name: pickle.dumps(
            {
                "batch_label": name,
                "labels": labels[index].tolist(),
                "data": images[index].reshape(count, -1),
                "filenames": [f"{number}.png" for number in range(count)],
            },
            protocol,
        )
        for index, name in enumerate(CIFAR_FILES)
    }


def tar_gz(files: dict[str, bytes], folder: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
