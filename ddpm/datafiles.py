"""Where the files of the data sets may lie. No torch: `doctor` and the app ask here what is there.

Below a data root, each data set is looked for in the folder torchvision uses, in folders named like it, and
in the root itself (`IDX_PLACES`, `CIFAR10_PLACES`). MNIST and Fashion-MNIST name their files alike: files
lying directly in the root, or in `raw/`, are taken for whichever of the two is asked for.
"""

from __future__ import annotations

from pathlib import Path

from ddpm.errors import EngineError


class DataError(EngineError):
    """Data that is missing or not what it should be, in one line that names the file."""


#: Of MNIST and Fashion-MNIST: the parts of a split (images, labels), each plain or with `.gz`.
IDX_NAMES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
IDX_PLACES = {
    "mnist": ("MNIST/raw", "MNIST", "mnist/raw", "mnist", "raw", "."),
    "fashion-mnist": ("FashionMNIST/raw", "FashionMNIST", "fashion-mnist/raw", "fashion-mnist", "raw", "."),
}

#: Of CIFAR-10: the parts of a split; the binary version's files end in `.bin`.
CIFAR10_NAMES = {"train": tuple(f"data_batch_{number}" for number in range(1, 6)), "test": ("test_batch",)}
CIFAR10_PLACES = (
    "cifar-10-batches-bin",
    "cifar-10-batches-py",
    "cifar10/cifar-10-batches-bin",
    "cifar10/cifar-10-batches-py",
    "cifar10",
    ".",
)
CIFAR10_ARCHIVES = ("cifar-10-binary.tar.gz", "cifar-10-python.tar.gz")


def splits(dataset: str) -> tuple[str, ...]:
    """The parts a data set has: what comes along, or is a person's own, is all for training."""
    return ("train",) if dataset in ("digits", "folder") else ("train", "test")


def find_idx(root: Path, dataset: str, split: str) -> list[Path] | None:
    """[images, labels] of "mnist" or "fashion-mnist", from one folder; a plain file goes before its .gz."""
    for place in IDX_PLACES[dataset]:
        found = [_first(root / place, (name, name.replace("-idx", ".idx"))) for name in IDX_NAMES[split]]
        if found[0] and found[1]:
            return [found[0], found[1]]
    return None


def find_cifar10(root: Path, split: str) -> list[Path] | None:
    """The batch files of a split, in order (`.bin` or python), or the one archive that holds them."""
    for place in CIFAR10_PLACES:
        for ending in (".bin", ""):
            paths = [root / place / f"{name}{ending}" for name in CIFAR10_NAMES[split]]
            if all(map(_is_file, paths)):
                return paths
    archives = (root / place / name for place in (".", "cifar10") for name in CIFAR10_ARCHIVES)
    return next(([path] for path in archives if _is_file(path)), None)


def present(root: Path) -> dict[str, bool]:
    """Which data sets have the files of their training part below `root`; "digits" is always there."""
    return {name: find(root, name, "train") is not None for name in (*IDX_PLACES, "cifar10")} | {
        "digits": True
    }


def find(root: Path, dataset: str, split: str) -> list[Path] | None:
    """The files of a split, None where they are missing; whether they are whole shows when they are read."""
    return find_cifar10(root, split) if dataset == "cifar10" else find_idx(root, dataset, split)


def at_hand(root: Path, dataset: str, split: str) -> bool:
    """Whether a split needs no download."""
    return splits(dataset) == ("train",) or find(root, dataset, split) is not None


def expected(dataset: str, root: Path, split: str) -> str:
    """In words: the files a person may put where, for a data set that is missing."""
    if dataset == "cifar10":
        return f"{' or '.join(CIFAR10_ARCHIVES)} into {shown(root)}"
    images, labels = IDX_NAMES[split]
    return f"{images} and {labels} (or their .gz) into {shown(root / IDX_PLACES[dataset][0])}"


def shown(path: Path) -> str:
    """A path as one line of printable text, whatever bytes its name has."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(path))


def _first(folder: Path, stems: tuple[str, ...]) -> Path | None:
    paths = (folder / f"{stem}{ending}" for stem in stems for ending in ("", ".gz"))
    return next((path for path in paths if _is_file(path)), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder that may not be entered
        return False
