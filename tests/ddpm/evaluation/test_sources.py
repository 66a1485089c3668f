"""What two sets of images may be given as, and one clear line for everything else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ddpm.errors import EngineError
from ddpm.evaluation import statfile
from ddpm.evaluation.moments import statistics_of
from ddpm.evaluation.sources import FeatureRows, Images, Known, Named, open_source

RANDOM = np.random.default_rng(0)
COLOUR = RANDOM.integers(0, 256, (5, 6, 4, 3), np.uint8)  # five images, six high, four wide
GREY = RANDOM.integers(0, 256, (5, 6, 8), np.uint8)
ROWS = RANDOM.standard_normal((9, 4)).astype(np.float32)
LABELS = np.arange(5)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(source: object) -> torch.Tensor:
    assert isinstance(source, Images)
    parts = list(source.batches(2))
    assert all(part.dtype == torch.uint8 and part.is_contiguous() for part in parts)
    assert [len(part) for part in parts] == [2, 2, 1]
    return torch.cat(parts)


def test_a_folder() -> None:
    Path("samples").mkdir()
    for index, array in enumerate(COLOUR):
        Image.fromarray(array).save(f"samples/{index}.png")
    for text in ("samples", "samples/", "./samples"):
        source = open_source(text)
        assert np.array_equal(read(source).permute(0, 2, 3, 1), COLOUR)
        assert isinstance(source, Images)
        assert (source.name, source.count, source.size) == (text, 5, (4, 6))


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (COLOUR, COLOUR.transpose(0, 3, 1, 2)),
        (COLOUR.transpose(0, 3, 1, 2), COLOUR.transpose(0, 3, 1, 2)),
        (COLOUR[..., :1], COLOUR[..., :1].transpose(0, 3, 1, 2)),
        (GREY, GREY[:, None]),
        (np.asfortranarray(COLOUR), COLOUR.transpose(0, 3, 1, 2)),
    ],
    ids=["NHWC", "NCHW", "NHW1", "NHW", "Fortran's order"],
)
@pytest.mark.parametrize("ending", ["npy", "npz", "NPZ"])
def test_images_in_an_array(array: np.ndarray, expected: np.ndarray, ending: str) -> None:
    with Path(f"a.{ending}").open("wb") as file:
        if ending == "npy":
            np.save(file, array)
        else:
            np.savez_compressed(file, array, LABELS)
    source = open_source(f"a.{ending}")
    assert np.array_equal(read(source).numpy(), expected)
    assert isinstance(source, Images)
    assert source.size == (expected.shape[3], expected.shape[2])


@pytest.mark.parametrize(
    ("content", "taken"),
    [
        ({"images": GREY, "labels": LABELS}, GREY),
        ({"x": GREY, "y": LABELS}, GREY),
        ({"arr_0": GREY, "arr_1": GREY[::-1]}, GREY),
        ({"samples": GREY, "noise": GREY[::-1]}, GREY),
    ],
)
def test_the_array_that_is_meant_is_found(content: dict[str, np.ndarray], taken: np.ndarray) -> None:
    np.savez("a.npz", **content)  # type: ignore[arg-type]
    assert np.array_equal(read(open_source("a.npz"))[:, 0], taken)


@pytest.mark.parametrize("dtype", ["f2", "f4", ">f8"])
def test_features(dtype: str) -> None:
    np.savez("a.npz", features=ROWS.astype(dtype), labels=np.arange(9))
    source = open_source("a.npz")
    assert isinstance(source, FeatureRows)
    assert (source.count, source.dimension) == (9, 4)
    assert np.array_equal(np.concatenate(list(source.batches(4))), ROWS.astype(dtype))


def test_statistics_ours_and_pytorch_fid_s() -> None:
    statfile.save(Path("ours.npz"), statistics_of(ROWS), {"features": {"network": "n"}})
    np.savez("theirs.npz", mu=ROWS.mean(0), sigma=np.cov(ROWS, rowvar=False))
    ours, theirs = open_source("ours.npz"), open_source("theirs.npz")
    assert isinstance(ours, Known)
    assert (ours.statistics.count, ours.meta["features"]) == (9, {"network": "n"})
    assert isinstance(theirs, Known)
    assert (theirs.statistics.count, theirs.meta) == (0, {})


def test_statistics_go_before_the_images_they_are_of() -> None:
    """As reference batches of guided-diffusion have both, the images being a part only."""
    np.savez("a.npz", arr_0=COLOUR, mu=ROWS.mean(0), sigma=np.cov(ROWS, rowvar=False))
    assert isinstance(open_source("a.npz"), Known)


@pytest.mark.parametrize(
    ("text", "dataset", "split", "shape"),
    [
        ("cifar10:train", "cifar10", "train", (3, 32, 32)),
        ("mnist:test", "mnist", "test", (1, 28, 28)),
        ("fashion-mnist", "fashion-mnist", "train", (1, 28, 28)),
        ("digits", "digits", "train", (1, 8, 8)),
        ("mnist:test@32", "mnist", "test", (1, 32, 32)),
        ("digits@16", "digits", "train", (1, 16, 16)),
    ],
)
def test_data_sets(text: str, dataset: str, split: str, shape: tuple[int, ...]) -> None:
    source = open_source(text)
    assert isinstance(source, Named)
    assert (source.data.dataset, source.split, source.data.shape) == (dataset, split, shape)


def test_a_folder_named_like_a_data_set_is_not_guessed_about() -> None:
    Path("digits").mkdir()
    for index in range(2):
        Image.fromarray(COLOUR[index]).save(f"digits/{index}.png")
    with pytest.raises(EngineError, match=r"write digits:train or \./digits$"):
        open_source("digits")
    assert isinstance(open_source("digits:train"), Named)
    assert isinstance(open_source("./digits"), Images)


ONE_LINE = [
    (
        "nowhere",
        "nowhere is no folder or file here, and no data set; there are mnist, fashion-mnist, cifar10,",
    ),
    ("cifar:train", "no data set; .* did you mean cifar10?"),
    ("CIFAR-10", "did you mean cifar10?"),
    ("cifar10:val", "cifar10 has no split 'val'; it has train and test"),
    ("digits:test", "digits has no split 'test'; it has train"),
    ("mnist@2", "images of 2×2 pixels are not made; 4 to 1024 are"),
    ("a.pkl", r"a\.pkl is none of what can be compared: a folder of images, an \.npz or \.npy file"),
    ("broken.npz", r"broken\.npz is not a whole \.npy or \.npz file"),
    ("empty", "empty has no image in it"),
    ("single", "single has one image; a distance needs at least two"),
    ("\x1b[31m", r"\\x1b\[31m is no folder"),
]


@pytest.mark.parametrize(("text", "message"), ONE_LINE, ids=[ascii(text) for text, _ in ONE_LINE])
def test_what_is_refused_in_one_line(text: str, message: str) -> None:
    Path("a.pkl").write_bytes(b"x")
    Path("broken.npz").write_bytes(b"PK")
    Path("empty").mkdir()
    Path("single").mkdir()
    Image.fromarray(COLOUR[0]).save("single/a.png")
    with pytest.raises(EngineError, match=message) as error:
        open_source(text)
    assert str(error.value).isprintable()


ARRAYS = [
    ({"x": COLOUR[:1]}, "has one image; a distance needs at least two"),
    ({"x": COLOUR[:0]}, "has no image; a distance needs at least two"),
    ({"x": ROWS[:1]}, "has one image"),
    (
        {"x": COLOUR / np.float32(255)},
        "x float32 .*; images are compared as they are saved: round them to 0…255",
    ),
    ({"x": COLOUR.astype(np.int64)}, "x int64 .*round them to 0…255 as uint8"),
    ({"x": GREY / 255}, "x float64 .*round them"),
    ({"x": RANDOM.integers(0, 9, (5, 6, 4, 4), np.uint8)}, "leave the transparency out"),
    (
        {"x": COLOUR[0]},
        r"holds no uint8 images \(N,H,W\[,C\]\) and no features \(N,D\): x uint8 \(6, 4, 3\)$",
    ),
    ({"x": COLOUR.reshape(5, -1)}, r"x uint8 \(5, 72\)"),
    ({"x": COLOUR[:, :0]}, r"x uint8 \(5, 0, 4, 3\)"),
    ({"x": np.float32(3)}, r"x float32 \(\)"),
    ({"m2": ROWS[0], "s2": LABELS}, r"m2 float32 \(4,\); s2 int64 \(5,\)"),
    ({"a": COLOUR, "b": COLOUR}, "has several arrays that could be meant: a, b"),
    ({"x": np.zeros((2, 20_000), np.float16)}, "20,000 features an image; up to 16,384 are compared"),
    ({"a": np.array([{}])}, "pickled objects, which are not opened"),
    ({}, "holds no uint8 images .*: nothing"),
]


@pytest.mark.parametrize(("content", "message"), ARRAYS, ids=[message for _, message in ARRAYS])
def test_arrays_that_are_refused_in_one_line(content: dict[str, np.ndarray], message: str) -> None:
    np.savez("a.npz", **content)  # type: ignore[arg-type]
    with pytest.raises(EngineError, match=message) as error:
        open_source("a.npz")
    assert str(error.value).startswith("a.npz ")
    assert str(error.value).isprintable()
