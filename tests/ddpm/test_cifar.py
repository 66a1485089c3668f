from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddpm import cifar
from ddpm.datafiles import DataError, find_cifar10
from tests.ddpm.writers import CIFAR_FILES, cifar_binary, cifar_like, cifar_python, tar_gz, write

COUNT = 4


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar, "IMAGES_PER_FILE", COUNT)


def write_all(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        write(folder / name, content)


def load(root: Path, split: str = "train") -> cifar.Batch:
    paths = find_cifar10(root, split)
    assert paths is not None
    return cifar.read(paths, split)


LAYOUTS = {
    "binary": lambda root: write_all(root / "cifar-10-batches-bin", cifar_binary(COUNT)),
    "binary, in the root": lambda root: write_all(root, cifar_binary(COUNT)),
    "binary, below cifar10": lambda root: write_all(root / "cifar10", cifar_binary(COUNT)),
    "python": lambda root: write_all(root / "cifar-10-batches-py", cifar_python(COUNT)),
    "python, protocol 4": lambda root: write_all(
        root / "cifar-10-batches-py", cifar_python(COUNT, protocol=4)
    ),
    "python 2": lambda root: write_all(root / "cifar-10-batches-py", python2_batches(COUNT)),
    "binary archive": lambda root: write_archive(root / "cifar-10-binary.tar.gz", cifar_binary(COUNT)),
    "python archive": lambda root: write_archive(root / "cifar-10-python.tar.gz", cifar_python(COUNT)),
}


def write_archive(path: Path, files: dict[str, bytes]) -> None:
    """As the official ones: other files among the batches, and the batches in no order."""
    path.write_bytes(
        tar_gz({"readme.html": b"", **dict(reversed(files.items())), "batches.meta": b"x"}, "cifar-10")
    )


def python2_batches(count: int) -> dict[str, bytes]:
    """Batches with the opcodes of Python 2 and its numpy, as the official files: texts are byte strings."""
    images, labels = cifar_like(count)
    files = {}
    for index, name in enumerate(CIFAR_FILES):
        pixels = images[index].tobytes()
        dtype = b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
        state = (
            b"(K\x01(K"
            + bytes([count])
            + b"M\x00\x0ct"
            + dtype
            + b"\x89T"
            + len(pixels).to_bytes(4, "little")
        )
        values = b"](" + b"".join(b"K" + bytes([label]) for label in labels[index]) + b"e"
        files[name] = b"\x80\x02}(U\x04data" + array + state + pixels + b"tbU\x06labels" + values + b"u."
    return files


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_images(tmp_path: Path, layout: str) -> None:
    LAYOUTS[layout](tmp_path)
    images, labels = cifar_like(COUNT)
    train, test = load(tmp_path), load(tmp_path, "test")
    assert np.array_equal(train[0], images[:5].reshape(-1, 3, 32, 32))
    assert np.array_equal(train[1], labels[:5].reshape(-1))
    assert np.array_equal(test[0], images[5])
    assert np.array_equal(test[1], labels[5])


def test_python_reader_agrees_with_pickle_itself() -> None:
    for files in (cifar_python(COUNT), python2_batches(COUNT)):
        batch = pickle.loads(files["data_batch_3"], encoding="latin1")
        images, labels = cifar._python("data_batch_3", files["data_batch_3"])
        assert batch["data"].tobytes() == images.tobytes()
        assert batch["labels"] == labels.tolist()


def test_binary_of_wrong_length_is_named_with_both_sizes(tmp_path: Path) -> None:
    write_all(tmp_path, cifar_binary(COUNT))
    (tmp_path / "data_batch_4.bin").write_bytes(b"\0" * 5000)
    with pytest.raises(DataError, match=r"data_batch_4\.bin is 5,000 bytes, not the 12,292 of a whole"):
        load(tmp_path)


def test_label_beyond_nine_is_named(tmp_path: Path) -> None:
    write_all(tmp_path, cifar_binary(COUNT) | {"data_batch_2.bin": b"\x0b" * COUNT * 3073})
    with pytest.raises(DataError, match=r"data_batch_2\.bin is damaged: it has a label 11"):
        load(tmp_path)


class Malicious:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.trace),)


def test_nothing_in_a_python_batch_is_executed(tmp_path: Path) -> None:
    trace = tmp_path / "executed"
    content = pickle.dumps({"data": Malicious(trace), "labels": []}, 2)
    write_all(tmp_path, cifar_python(COUNT) | {"data_batch_1": content})
    with pytest.raises(
        DataError, match=r"data_batch_1 \(\d+ bytes\) is not a CIFAR-10 python batch: .*mkdir"
    ):
        load(tmp_path)
    assert not trace.exists()
    pickle.loads(content)
    assert trace.exists()  # it would have been


BAD_BATCHES = {
    "no dict": pickle.dumps([1, 2], 2),
    "no labels": pickle.dumps({"data": np.zeros((COUNT, 3072), np.uint8)}, 2),
    "pixels as a number": pickle.dumps({"data": 10**13, "labels": [0] * COUNT}, 2),
    "floats": pickle.dumps({"data": np.zeros((COUNT, 3072)), "labels": [0] * COUNT}, 2),
    "column by column": pickle.dumps(
        {"data": np.asfortranarray(np.zeros((COUNT, 3072), np.uint8)), "labels": [0] * COUNT}, 2
    ),
    "too few images": pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [0] * 2}, 2),
    "too few labels": pickle.dumps({"data": np.zeros((COUNT, 3072), np.uint8), "labels": [0]}, 2),
    "labels beyond nine": pickle.dumps(
        {"data": np.zeros((COUNT, 3072), np.uint8), "labels": [266] * COUNT}, 2
    ),
    "negative labels": pickle.dumps({"data": np.zeros((COUNT, 3072), np.uint8), "labels": [-250] * COUNT}, 2),
    "codec": b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R.",
    "empty": b"",
    "text": b"<html>404</html>",
}


@pytest.mark.parametrize("kind", BAD_BATCHES)
def test_bad_python_batches_are_named(tmp_path: Path, kind: str) -> None:
    write_all(tmp_path, cifar_python(COUNT) | {"data_batch_5": BAD_BATCHES[kind]})
    with pytest.raises(DataError, match="data_batch_5") as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


@given(st.data())
def test_damaged_python_batches_are_named(data: st.DataObject) -> None:
    content = bytearray(cifar_python(COUNT)["test_batch"])
    position = data.draw(st.integers(0, 300) | st.integers(len(content) - 200, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    try:
        images, _ = cifar._batch(
            "test_batch", "test_batch", bytes(content[: data.draw(st.integers(1, len(content)))])
        )
    except DataError as error:
        assert "test_batch" in str(error)  # noqa: PT017
    else:
        assert images.shape == (COUNT, 3, 32, 32)


def test_archives_cut_short_or_incomplete_are_named(tmp_path: Path) -> None:
    path = tmp_path / "cifar-10-binary.tar.gz"
    whole = tar_gz(cifar_binary(COUNT), "cifar-10-batches-bin")
    for content in (whole[: len(whole) // 2], whole[:5], b"", b"<html>404</html>"):
        path.write_bytes(content)
        with pytest.raises(
            DataError, match=r"cifar-10-binary\.tar\.gz \([\d,]+ bytes\) is cut short or damaged"
        ):
            load(tmp_path)
    files = cifar_binary(COUNT)
    del files["data_batch_3.bin"]
    path.write_bytes(tar_gz(files, "cifar-10-batches-bin"))
    with pytest.raises(DataError, match=r"cifar-10-binary\.tar\.gz does not hold data_batch_3$"):
        load(tmp_path)


def test_missing_batch_means_not_found(tmp_path: Path) -> None:
    files = cifar_binary(COUNT)
    del files["data_batch_3.bin"]
    write_all(tmp_path, files)
    assert find_cifar10(tmp_path, "train") is None
    assert find_cifar10(tmp_path, "test") == [tmp_path / "test_batch.bin"]
