"""Downloads of the data sets, by torchvision, which knows the mirrors and checks what came (MD5).

The download happens in a folder of its own below the data root; only whole files leave it. Whoever is killed
half-way leaves nothing that could be taken for data, and of two that want the same set one waits.
"""

from __future__ import annotations

import fcntl
import http.client
import shutil
import socket
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ddpm import datafiles
from ddpm.datafiles import DataError, shown

#: Seconds of silence after which a server is given up; the system's default is to wait for ever.
PATIENCE = 30.0


def fetch(dataset: str, root: Path, split: str) -> None:
    """Put the files of "mnist", "fashion-mnist" or "cifar10" where `ddpm.datafiles` finds them below `root`.

    Progress goes to standard error. Raises DataError, saying which files to put where, when it fails.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        with _alone(root) as workplace:
            if not datafiles.find(root, dataset, split):  # else another one fetched it while we waited
                _download(dataset, workplace)
                _publish(workplace, root)
    except (
        OSError,
        RuntimeError,
        http.client.HTTPException,
        tarfile.TarError,
        EOFError,
        zlib.error,
    ) as error:
        raise DataError(
            f"data set {dataset} is not in {shown(root)} and cannot be downloaded ({_reason(error)}); "
            f"put {datafiles.expected(dataset, root, split)}"
        ) from error


def _download(dataset: str, folder: Path) -> None:
    from torchvision import datasets  # takes a second: only for those who need it

    makers = {"mnist": datasets.MNIST, "fashion-mnist": datasets.FashionMNIST, "cifar10": datasets.CIFAR10}
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        makers[dataset](folder, download=True)
    finally:
        socket.setdefaulttimeout(before)


def _publish(workplace: Path, root: Path) -> None:
    """Move the unpacked files, not the archives they came in, to the same places below the root."""
    for path in sorted(workplace.rglob("*")):
        if path.is_file() and path.suffix != ".gz":
            target = root / path.relative_to(workplace)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)


@contextmanager
def _alone(root: Path) -> Iterator[Path]:
    """An empty folder for one download at a time; what a killed one left in it is thrown away."""
    workplace = root / ".download"
    with (root / ".download.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(workplace, ignore_errors=True)
        workplace.mkdir()
        try:
            yield workplace
        finally:
            shutil.rmtree(workplace, ignore_errors=True)


def _reason(error: Exception) -> str:
    """The last line that says something: torchvision lists its attempts line by line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].removeprefix("<urlopen error ").removesuffix(">") if lines else type(error).__name__
