"""What this machine, this home and this terminal offer, what is in the way, and what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runs.errors import RunError
from runs.humanize import bytes_text
from runs.provenance import version

if TYPE_CHECKING:
    from runs.home import Home

PACKAGES = (
    "torch",
    "torchvision",
    "numpy",
    "pillow",
    "safetensors",
    "pydantic",
    "sqlalchemy",
    "rich",
    "textual",
)
LEAST_PYTHON = (3, 11)
LEAST_DISK = 5_000_000_000  #: bytes; a few checkpoints of the paper's CIFAR-10 network
LEAST_MEMORY = 2_000_000_000  #: bytes a training with torch wants at least


@dataclass(frozen=True, slots=True)
class Row:
    """One finding. `ok` is None for what is neither good nor bad; `advice` says what to do."""

    label: str
    value: str
    ok: bool | None = None
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    rows: tuple[Row, ...]


def report(home: Home | None, unusable: str = "") -> list[Section]:
    """Everything, as sections. Without a home `unusable` says why there is none. Takes seconds."""
    from runs import doctor_terminal

    return [
        Section("versions", tuple(_versions())),
        Section("machine", tuple(_machine())),
        Section("devices", tuple(_devices())),
        Section("home", tuple(_home(home)) if home else (Row("home", unusable, False),)),
        Section("data sets", tuple(_data(home)) if home else ()),
        Section("terminal", tuple(doctor_terminal.rows())),
    ]


def problems(sections: list[Section]) -> list[Row]:
    """The findings that are in the way."""
    return [row for section in sections for row in section.rows if row.ok is False]


def _versions() -> Iterator[Row]:
    yield Row("ddpm-tui", version("ddpm-tui") or "not installed as a package")
    good = sys.version_info >= LEAST_PYTHON
    least = ".".join(map(str, LEAST_PYTHON))
    yield Row("python", platform.python_version(), good, None if good else f"use Python {least} or newer")
    for package in PACKAGES:
        found = version(package)
        advice = None if found else f"pip install {package}"
        yield Row(package, found or "missing", found is not None, advice)


def _machine() -> Iterator[Row]:
    import psutil

    yield Row("system", platform.platform())
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Row("CPU cores", str(cores))
    memory = psutil.virtual_memory()
    good = memory.available >= LEAST_MEMORY
    advice = "a training may be ended for lack of memory: end other programs, or use a smaller batch"
    value = f"{bytes_text(memory.available)} free of {bytes_text(memory.total)}"
    yield Row("memory", value, good, None if good else advice)


def _devices() -> Iterator[Row]:
    from runs import preflight

    try:
        devices = preflight.devices()
    except RunError as error:
        yield Row("torch", str(error), False, "reinstall it: pip install --force-reinstall torch torchvision")
        return
    for device in devices:
        memory = ""
        if device.get("memory_total"):
            memory = f", {bytes_text(device.get('memory_free'))} free of {bytes_text(device['memory_total'])}"
        yield Row(str(device["name"]), f"{device['title']}{memory}", True)
        if kernels := device.get("kernels"):
            own = str(kernels).startswith("our own")
            advice = "a C compiler (apt install gcc) makes training on the processor faster"
            yield Row("its kernels", str(kernels), own or None, None if own else advice)
    if [d["name"] for d in devices] == ["cpu"] and shutil.which("nvidia-smi"):
        yield Row(
            "GPU",
            "there is a driver, but torch sees no GPU",
            False,
            "see that nvidia-smi works and that torch is a build for its CUDA version",
        )


def _home(home: Home) -> Iterator[Row]:
    from runs.database import on_shared_file_system

    yield Row("home", str(home.path), True)
    kind = file_system(home.path)
    good = not on_shared_file_system(home.catalogue)
    advice = (
        "shared by machines: locks and the catalogue work best on a local disk, by --home DIR or DDPM_HOME"
    )
    yield Row("file system", kind or "unknown", good if kind else None, None if good else advice)
    usage = shutil.disk_usage(home.path)
    good = usage.free >= LEAST_DISK
    advice = "checkpoints may not fit: ddpm-tui rm old runs, then ddpm-tui rm --purge"
    value = f"{bytes_text(usage.free)} free of {bytes_text(usage.total)}"
    yield Row("disk", value, good, None if good else advice)
    yield _catalogue(home)


def _catalogue(home: Home) -> Row:
    from sqlalchemy.exc import SQLAlchemyError

    from runs.catalogue import Catalogue
    from runs.rows import RunQuery

    try:
        with Catalogue(home) as catalogue:
            catalogue.sync()
            number, skipped = catalogue.count(RunQuery()), catalogue.skipped
    except (RunError, SQLAlchemyError, OSError) as error:
        line = (str(error).splitlines() or [type(error).__name__])[0]
        return Row("catalogue", line, False, "it can be rebuilt, nothing is lost: ddpm-tui reindex")
    value = f"{number} {'run' if number == 1 else 'runs'}, {bytes_text(home.catalogue.stat().st_size)}"
    if not skipped:
        return Row("catalogue", value, True)
    first = ": ".join(skipped[0])
    return Row("catalogue", f"{value}; {len(skipped)} could not be read", False, f"the first: {first}")


def file_system(path: Path) -> str | None:
    """The kind of file system that `path` is on: "ext4", "nfs4"; None where it cannot be told."""
    import psutil

    path, depth, kind = path.resolve(), 0, None
    for mount in psutil.disk_partitions(all=True):
        place = Path(mount.mountpoint)
        if path.is_relative_to(place) and len(place.parts) >= depth:  # of two at one place the later hides
            depth, kind = len(place.parts), mount.fstype or None
    return kind


def _data(home: Home) -> Iterator[Row]:
    from ddpm import datafiles
    from runs.home import data_root

    try:
        root = data_root(home, None)
    except RunError as error:
        yield Row("data root", str(error), False, "set DDPM_DATA to a folder, or unset it")
        return
    yield Row("data root", f"{root}{' (DDPM_DATA)' if os.environ.get('DDPM_DATA') else ''}")
    for name, present in datafiles.present(root).items():
        yield Row(
            name,
            "present" if present else "not here yet: downloaded when first used",
            True if present else None,
        )
