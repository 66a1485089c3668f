"""Arrays in files of others: read in blocks, in any order and compression, and never unpickled."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.lib import format as npy

from ddpm.errors import EngineError
from ddpm.evaluation import arrays

ARRAY = np.arange(7 * 3 * 2, dtype=np.uint8).reshape(7, 3, 2)


def written(folder: Path, kind: str, array: np.ndarray) -> tuple[Path, str]:
    """(file, name of the array in it)."""
    path = folder / f"a.{'npy' if kind == 'npy' else 'npz'}"
    if kind == "npy":
        np.save(path, array)
        return path, ""
    (np.savez if kind == "npz" else np.savez_compressed)(path, arr_0=array)
    return path, "arr_0"


@pytest.mark.parametrize("kind", ["npy", "npz", "compressed"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_blocks_are_the_rows_in_order(tmp_path: Path, kind: str, order: str, size: int) -> None:
    path, name = written(tmp_path, kind, np.asarray(ARRAY, order=order))
    assert arrays.headers(path)[name].shape == (7, 3, 2)
    parts = list(arrays.blocks(path, name, size))
    assert [len(part) for part in parts] == [size] * (7 // size) + [7 % size] * (7 % size > 0)
    assert np.array_equal(np.concatenate(parts), ARRAY)
    assert np.array_equal(arrays.whole(path, name), ARRAY)


@pytest.mark.parametrize("dtype", [">f4", "<f2", "f8"])
def test_any_float_is_read(tmp_path: Path, dtype: str) -> None:
    path, name = written(tmp_path, "npy", np.arange(10).reshape(5, 2).astype(dtype))
    assert np.array_equal(np.concatenate(list(arrays.blocks(path, name, 2))), np.arange(10).reshape(5, 2))


def test_no_rows_at_all(tmp_path: Path) -> None:
    path, name = written(tmp_path, "npz", ARRAY[:0])
    assert list(arrays.blocks(path, name, 4)) == []


def test_a_file_cut_short_is_said_when_the_end_comes(tmp_path: Path) -> None:
    path, name = written(tmp_path, "npy", ARRAY)
    path.write_bytes(path.read_bytes()[:-1])
    blocks = arrays.blocks(path, name, 3)
    assert np.array_equal(next(blocks), ARRAY[:3])
    with pytest.raises(EngineError, match=r"a\.npy is not a whole .npy or .npz file: it ends too early"):
        list(blocks)


def test_damage_inside_is_said(tmp_path: Path) -> None:
    path, name = written(tmp_path, "npz", ARRAY)
    path.write_bytes(path.read_bytes().replace(ARRAY[2].tobytes(), bytes(6)))
    with pytest.raises(EngineError, match=r"a\.npz is not a whole .*CRC"):
        list(arrays.blocks(path, name, 3))


def test_pickled_objects_are_refused_unread(tmp_path: Path) -> None:
    for kind in ("npy", "npz"):
        path, _ = written(tmp_path, kind, np.array([{"a": 1}, None]))
        with pytest.raises(EngineError, match="pickled objects, which are not opened"):
            arrays.headers(path)


@pytest.mark.parametrize("shape", [(7_000_000_000, 3, 2), (8, 3, 2), (-1, 3, 2)])
@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_a_header_that_promises_too_much_is_not_believed(
    tmp_path: Path, kind: str, shape: tuple[int, ...]
) -> None:
    """Before any work is done, and before memory is asked for."""
    content = io.BytesIO()
    npy.write_array_header_1_0(content, {"descr": "|u1", "fortran_order": False, "shape": shape})
    content.write(ARRAY.tobytes())
    path = tmp_path / f"a.{kind}"
    if kind == "npy":
        path.write_bytes(content.getvalue())
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("arr_0.npy", content.getvalue())
    with pytest.raises(EngineError, match=r"not a whole .*: (it ends too early|its shape .* is impossible)$"):
        arrays.headers(path)


@pytest.mark.parametrize(
    "content", [b"", b"\x93NUMPY", b"\x93NUMPY\x09\x00abc", b"\x93NUMPY\x01\x00\x04\x00{}  "]
)
def test_what_is_no_array(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(EngineError, match=r"a\.npy is not a whole .npy or .npz file: ") as error:
        arrays.headers(tmp_path / "a.npy")
    assert len(str(error.value).splitlines()) == 1


def test_other_files_in_an_archive_are_left_alone(tmp_path: Path) -> None:
    path, name = written(tmp_path, "npz", ARRAY)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("readme.txt", "hello")
    assert list(arrays.headers(path)) == [name]
