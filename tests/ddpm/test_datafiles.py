from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ddpm import datafiles
from tests.ddpm.writers import cifar_binary, tar_gz, write, write_mnist

NOTHING = {"mnist": False, "fashion-mnist": False, "cifar10": False, "digits": True}


def test_nothing_but_digits_in_an_empty_or_missing_root(tmp_path: Path) -> None:
    assert datafiles.present(tmp_path) == NOTHING
    assert datafiles.present(tmp_path / "nowhere") == NOTHING
    write(tmp_path / "file", b"")
    assert datafiles.present(tmp_path / "file") == NOTHING


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize(
    ("place", "sets"),
    [
        ("MNIST/raw", ["mnist"]),
        ("MNIST", ["mnist"]),
        ("mnist", ["mnist"]),
        ("FashionMNIST/raw", ["fashion-mnist"]),
        ("fashion-mnist", ["fashion-mnist"]),
        ("raw", ["mnist", "fashion-mnist"]),
        (".", ["mnist", "fashion-mnist"]),
        ("elsewhere", []),
    ],
)
def test_places_of_idx_files(tmp_path: Path, place: str, sets: list[str], ending: str) -> None:
    write_mnist(tmp_path / place, ending)
    assert datafiles.present(tmp_path) == NOTHING | dict.fromkeys(sets, True)


def test_own_folder_goes_before_the_root_and_plain_before_packed(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    write_mnist(tmp_path / "FashionMNIST/raw", ".gz")
    own = tmp_path / "FashionMNIST/raw"
    assert datafiles.find_idx(tmp_path, "fashion-mnist", "train") == [
        own / "train-images-idx3-ubyte.gz",
        own / "train-labels-idx1-ubyte.gz",
    ]
    write_mnist(own)
    found = datafiles.find_idx(tmp_path, "fashion-mnist", "test")
    assert found == [own / "t10k-images-idx3-ubyte", own / "t10k-labels-idx1-ubyte"]


def test_names_with_a_dot_are_known_too(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    for path in list(tmp_path.iterdir()):
        path.rename(path.with_name(path.name.replace("-idx", ".idx")))
    assert datafiles.present(tmp_path)["mnist"]


def test_images_without_labels_are_not_the_set(tmp_path: Path) -> None:
    write_mnist(tmp_path / "mnist")
    (tmp_path / "mnist/train-labels-idx1-ubyte").unlink()
    assert not datafiles.present(tmp_path)["mnist"]


def test_cifar10_as_files_or_archive(tmp_path: Path) -> None:
    for name, content in cifar_binary(1).items():
        write(tmp_path / "files/cifar-10-batches-bin" / name, content)
    assert datafiles.present(tmp_path / "files") == NOTHING | {"cifar10": True}
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive/cifar-10-python.tar.gz").write_bytes(tar_gz({}, "cifar-10-batches-py"))
    assert datafiles.present(tmp_path / "archive") == NOTHING | {"cifar10": True}


def test_paths_are_shown_as_one_printable_line() -> None:
    assert datafiles.shown(Path("/data/größe ä.png")) == "/data/größe ä.png"
    assert datafiles.shown(Path("a\x1b[0m\nb\udcff")) == "a\\x1b[0m\\nb\\udcff"


def test_looking_for_data_needs_no_torch() -> None:
    code = "import sys, ddpm.datafiles; sys.exit(bool({'torch', 'numpy', 'PIL'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
