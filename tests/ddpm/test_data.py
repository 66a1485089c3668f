from __future__ import annotations

import gzip
import hashlib
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ddpm import cifar, data
from ddpm.config import DataConfig
from ddpm.data import DataError, ImageSet
from tests.ddpm.writers import cifar_binary, cifar_like, mnist_like, write, write_mnist


def load(root: Path, dataset: str, split: str = "train", **settings: object) -> ImageSet:
    config = DataConfig.model_validate({"dataset": dataset, "root": str(root), **settings})
    loaded = data.load(config, root, split)
    assert loaded.images.dtype == torch.uint8
    assert loaded.images.is_contiguous()
    assert loaded.images.shape[1:] == config.shape
    if loaded.labels is not None:
        assert loaded.labels.dtype == torch.int64
        assert loaded.labels.shape == (len(loaded.images),)
    return loaded


def test_digits_need_no_file(tmp_path: Path) -> None:
    digits = load(tmp_path / "nowhere", "digits")
    assert digits.images.shape == (1797, 1, 8, 8)
    assert digits.labels is not None
    assert digits.labels.bincount().tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    # row 3 of the first image in optdigits.tes: 0,3,15,2,0,11,8,0 of 16
    assert digits.images[0, 0, 2].tolist() == [
        round(value * 255 / 16) for value in (0, 3, 15, 2, 0, 11, 8, 0)
    ]
    assert digits.images.min() == 0
    assert digits.images.max() == 255


def test_digits_are_the_published_ones(tmp_path: Path) -> None:
    digits = load(tmp_path, "digits")
    assert digits.labels is not None
    sixteenths = (digits.images.int() * 16 + 127) // 255
    rows = torch.cat([sixteenths.flatten(1), digits.labels[:, None]], 1)
    text = "".join(",".join(map(str, row)) + "\n" for row in rows.tolist())
    published = "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"
    assert hashlib.sha256(text.encode()).hexdigest() == published


@pytest.mark.parametrize("dataset", ["mnist", "fashion-mnist"])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_idx_sets_are_read_as_they_are(tmp_path: Path, dataset: str, ending: str) -> None:
    write_mnist(tmp_path, ending, train=12, test=5)
    for split, count in (("train", 12), ("test", 5)):
        images, labels = mnist_like(count)
        loaded = load(tmp_path, dataset, split)
        assert np.array_equal(loaded.images[:, 0].numpy(), images)
        assert loaded.labels is not None
        assert loaded.labels.tolist() == labels.tolist()


def test_cifar10_is_read_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar, "IMAGES_PER_FILE", 3)
    for name, content in cifar_binary(3).items():
        write(tmp_path / name, content)
    images, _ = cifar_like(3)
    assert np.array_equal(load(tmp_path, "cifar10").images.numpy(), images[:5].reshape(-1, 3, 32, 32))
    assert np.array_equal(load(tmp_path, "cifar10", "test").images.numpy(), images[5])
    red, green, blue = images[5].astype(int).transpose(1, 0, 2, 3)
    luma = (red * 299 + green * 587 + blue * 114) / 1000
    grey = load(tmp_path, "cifar10", "test", channels=1).images[:, 0].numpy()
    assert np.abs(grey - luma).max() <= 0.5
    assert load(tmp_path, "cifar10", image_size=36).images.shape == (15, 3, 36, 36)


def test_data_is_read_only_once_it_is_whole(tmp_path: Path) -> None:
    write_mnist(tmp_path / "MNIST/raw")
    path = tmp_path / "MNIST/raw/train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte is cut short: 9,423 bytes, 9,424 expected"):
        load(tmp_path, "mnist")


def test_grey_sets_get_a_black_rim(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    native, rimmed = load(tmp_path, "mnist").images, load(tmp_path, "mnist", image_size=32).images
    assert torch.equal(rimmed[:, :, 2:30, 2:30], native)
    assert rimmed.int().sum() == native.int().sum()


@pytest.mark.parametrize("size", [14, 29, 36, 56])
def test_other_sizes_are_resized(tmp_path: Path, size: int) -> None:
    write_mnist(tmp_path, train=4)
    native, resized = load(tmp_path, "mnist").images, load(tmp_path, "mnist", image_size=size).images
    for before, after in zip(native[:, 0].numpy(), resized[:, 0].numpy(), strict=True):
        # in floats: Pillow clips bytes between its two passes
        exact = Image.fromarray(before.astype(np.float32)).resize((size, size), Image.Resampling.BICUBIC)
        assert np.abs(np.asarray(exact).clip(0, 255) - after).max() <= 0.501


def test_resizing_works_in_parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    whole = load(tmp_path, "digits", image_size=16).images
    monkeypatch.setattr(data, "_CHUNK", 100)
    assert torch.equal(load(tmp_path, "digits", image_size=16).images, whole)


def test_grey_becomes_colour_by_repeating(tmp_path: Path) -> None:
    grey, colour = load(tmp_path, "digits").images, load(tmp_path, "digits", channels=3).images
    assert all(torch.equal(colour[:, channel], grey[:, 0]) for channel in range(3))


def test_folder(tmp_path: Path) -> None:
    for index in range(3):
        Image.new("RGB", (20, 10), (index, 0, 0)).save(tmp_path / f"{index}.png")
    (tmp_path / "broken.jpg").touch()
    loaded = load(tmp_path, "folder", image_size=8)
    assert loaded.images[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert loaded.labels is None
    assert loaded.notices == ("1 of 4 images could not be read: broken.jpg",)


@pytest.mark.parametrize(
    ("dataset", "split", "message"),
    [
        ("digits", "test", "digits has no test split"),
        ("folder", "test", "folder has no test split"),
        ("mnist", "validation", "no split 'validation'; there are train and test"),
    ],
)
def test_splits_that_are_not_there(tmp_path: Path, dataset: str, split: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load(tmp_path, dataset, split, image_size=8)


def test_reading_imports_no_torchvision(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    code = (
        "import sys; from pathlib import Path; from ddpm import data; from ddpm.config import DataConfig\n"
        "data.load(DataConfig(dataset='mnist'), Path(sys.argv[1]))\n"
        "data.load(DataConfig(dataset='digits'), Path())\n"
        "sys.exit('torchvision' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 0


@pytest.mark.real_data
def test_real_mnist(real_data: Path, tmp_path: Path) -> None:
    start = time.perf_counter()
    train = load(real_data, "mnist")
    assert time.perf_counter() - start < 1.5
    assert train.images.shape == (60_000, 1, 28, 28)
    assert train.labels is not None
    assert train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert train.labels.bincount().tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    pixels = train.images.double() / 255  # the mean and deviation everybody normalises MNIST with
    assert (round(pixels.mean().item(), 4), round(pixels.std().item(), 4)) == (0.1307, 0.3081)
    test = load(real_data, "mnist", "test")
    assert test.images.shape == (10_000, 1, 28, 28)
    for path in (real_data / "MNIST/raw").glob("t10k-*-ubyte"):
        (tmp_path / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), 1))
    assert torch.equal(load(tmp_path, "mnist", "test").images, test.images)


@pytest.mark.real_data
def test_real_cifar10(real_data: Path) -> None:
    train, test = load(real_data, "cifar10"), load(real_data, "cifar10", "test")
    assert train.images.shape == (50_000, 3, 32, 32)
    assert train.labels is not None
    assert train.labels[:6].tolist() == [6, 9, 9, 4, 1, 1]
    assert train.labels.bincount().tolist() == [5000] * 10
    means = [round((train.images[:, channel].double().mean() / 255).item(), 4) for channel in range(3)]
    assert means == [0.4914, 0.4822, 0.4465]  # as everybody normalises CIFAR-10 with
    assert test.labels is not None
    assert test.labels.bincount().tolist() == [1000] * 10
