from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from ddpm import idx
from ddpm.datafiles import DataError
from tests.ddpm.writers import idx_bytes, mnist_like, write

ENDINGS = pytest.mark.parametrize("ending", ["", ".gz"])


@given(array=arrays(np.uint8, array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5)))
@ENDINGS
def test_gives_back_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, ending: str, array: np.ndarray
) -> None:
    path = write(tmp_path_factory.mktemp("idx") / f"values{ending}", idx_bytes(array))
    values = idx.read(path, array.ndim)
    assert values.dtype == np.uint8
    assert values.flags.writeable
    assert np.array_equal(values, array)


@given(st.data())
@ENDINGS
def test_every_truncation_is_named(
    tmp_path_factory: pytest.TempPathFactory, ending: str, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("idx") / f"train-images{ending}"
    whole = write(path, idx_bytes(mnist_like(2)[0])).read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(DataError, match="train-images") as caught:
        idx.read(path, 3)
    assert "\n" not in str(caught.value)
    assert f"{path.stat().st_size:,}" in str(caught.value)


@given(st.binary(max_size=60))
@example(b"\0\0\x08\x03" + b"\xff" * 12)  # calls for 2^96 bytes
@example(gzip.compress(b"\0\0\x08\x03" + b"\xff" * 12))
@ENDINGS
def test_foreign_bytes_are_refused(
    tmp_path_factory: pytest.TempPathFactory, ending: str, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("idx") / f"train-images{ending}"
    path.write_bytes(content)
    with pytest.raises(DataError, match="train-images"):
        idx.read(path, 3)


def test_size_and_size_expected_are_told(tmp_path: Path) -> None:
    whole = idx_bytes(mnist_like(3)[0])
    path = write(tmp_path / "images", whole[:2000])
    with pytest.raises(DataError, match=r"images is cut short: 2,000 bytes, 2,368 expected"):
        idx.read(path, 3)
    path.write_bytes(whole + b"x")
    with pytest.raises(DataError, match=r"images is too long: 2,369 bytes, 2,368 expected"):
        idx.read(path, 3)
    packed = write(tmp_path / "images.gz", whole[:2000])
    with pytest.raises(DataError, match=r"images.gz \([\d,]+ bytes\) unpacks to 2,000 bytes, 2,368 expected"):
        idx.read(packed, 3)
    write(packed, whole + b"\0" * 50_000_000)  # is not unpacked beyond what is expected
    with pytest.raises(DataError, match=r"unpacks to 2,369 bytes or more, 2,368 expected"):
        idx.read(packed, 3)


def test_kind_of_file_is_checked(tmp_path: Path) -> None:
    images, labels = mnist_like(3)
    path = write(tmp_path / "images", idx_bytes(labels))
    with pytest.raises(DataError, match="begins with 00000801 instead of 00000803"):
        idx.read(path, 3)
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"\(0 bytes\).*begins with nothing"):
        idx.read(path, 3)
    damaged = bytearray(write(tmp_path / "images.gz", idx_bytes(images)).read_bytes())
    damaged[-6] ^= 1  # the checksum
    (tmp_path / "images.gz").write_bytes(damaged)
    with pytest.raises(DataError, match=r"images\.gz.*damaged"):
        idx.read(tmp_path / "images.gz", 3)


def test_a_folder_in_its_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        idx.read(tmp_path, 3)


def test_pairs_must_fit(tmp_path: Path) -> None:
    images, labels = mnist_like(4)
    pixels = write(tmp_path / "images", idx_bytes(images))
    classes = write(tmp_path / "labels", idx_bytes(labels))
    read = idx.read_pair(pixels, classes, (28, 28))
    assert np.array_equal(read[0], images)
    assert np.array_equal(read[1], labels)
    with pytest.raises(DataError, match="holds images of 28×28, not 32×32"):
        idx.read_pair(pixels, classes, (32, 32))
    write(classes, idx_bytes(labels[:3]))
    with pytest.raises(DataError, match="holds 3 labels for the 4 images of images"):
        idx.read_pair(pixels, classes, (28, 28))
    write(classes, idx_bytes(labels[:0]))
    write(pixels, idx_bytes(images[:0]))
    with pytest.raises(DataError, match="holds no images"):
        idx.read_pair(pixels, classes, (28, 28))


def test_damage_inside_a_gzip_stream_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "images.gz", idx_bytes(mnist_like(40)[0]))
    content = bytearray(path.read_bytes())
    content[200:260] = b"\xff" * 60
    path.write_bytes(content)
    with pytest.raises((zlib.error, EOFError, gzip.BadGzipFile)):
        gzip.decompress(bytes(content))
    with pytest.raises(DataError, match=r"images\.gz"):
        idx.read(path, 3)
