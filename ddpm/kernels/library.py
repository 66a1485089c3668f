"""The kernels' shared library: compiled once for this machine by its C compiler, kept in the user's cache."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shlex
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch  # brings the OpenMP runtime that the library shares with it

from ddpm import atomic

_SOURCES = ("winograd.c", "linear.c", "attention.c", "norm.c")
_HEADERS = ("vector.h", "bfloat16.h", "product.h", "tiles.h", "laying.h")
#: Products and sums may be contracted; nothing else that would change a result.
_FLAGS = ("-O3", "-march=native", "-ffp-contract=fast", "-fopenmp", "-fPIC", "-std=gnu11")
#: Of the folders in which is compiled.
_ASIDE = ".building-"
_POINTER, _LONG, _INT, _FLOAT = ctypes.c_void_p, ctypes.c_long, ctypes.c_int, ctypes.c_float
_ARGUMENTS = {
    "winograd_has_halves": [],
    "winograd_prepare": [_POINTER] * 2 + [_LONG] * 6 + [_INT] * 2,
    "winograd_convolve": [_POINTER] * 4 + [_LONG] * 5 + [_INT] * 2,
    "winograd_gradients": [_POINTER] * 5 + [_LONG] * 9 + [_INT] * 2,
    "linear_prepare": [_POINTER] * 2 + [_LONG] * 4,
    "linear_apply": [_POINTER] * 4 + [_LONG] * 3 + [_INT],
    "linear_gradients": [_POINTER] * 5 + [_LONG] * 3 + [_INT],
    "attention_forward": [_POINTER] * 7 + [_LONG] * 4 + [_FLOAT, _INT],
    "attention_room": [_LONG] * 2,
    "attention_backward": [_POINTER] * 10 + [_LONG] * 4 + [_FLOAT, _INT],
    "norm_forward": [_POINTER] * 7 + [_LONG] * 4 + [_FLOAT, _INT, _INT],
    "norm_backward": [_POINTER] * 10 + [_LONG] * 4 + [_INT, _INT],
}


@dataclass(frozen=True, slots=True)
class Found:
    """The library, or why there is none."""

    library: ctypes.CDLL | None
    reason: str  #: in words, of either
    halves: bool = False  #: whether bfloat16 products by it are taken to be faster than torch's
    name: str = ""  #: of what it was made of


@cache
def found() -> Found:
    """The library of this machine, compiled if it must be (some seconds, once). Never raises.

    `DDPM_KERNELS=off` in the environment does without; `CC` names another compiler.
    """
    if os.environ.get("DDPM_KERNELS", "").lower() in ("off", "0", "no"):
        return Found(None, "switched off by DDPM_KERNELS")
    try:
        compiler = _compiler()
        name = f"kernels-{_key(compiler)}"
        path = _kept(folder(), name) or _build(compiler, folder(), name)
        kernels = _load(path)
        return Found(kernels, f"compiled by {compiler[0]}", _halves_win(kernels), name)
    # The last three: words in CC that no shell takes, no home to be found, a library without its functions.
    except (
        OSError,
        subprocess.SubprocessError,
        NoKernels,
        ValueError,
        RuntimeError,
        AttributeError,
    ) as error:
        return Found(None, _told(error))


def _halves_win(kernels: ctypes.CDLL) -> bool:
    """Where the processor multiplies vectors of bfloat16; where tiles (AMX), torch is taken to be faster."""
    tiles = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    return bool(kernels.winograd_has_halves()) and not tiles()


class NoKernels(Exception):
    """Why there can be none, in words."""


def _told(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        lines = (error.stderr or "").strip().splitlines() or ["no word from it"]
        telling = (line for line in lines if not line.endswith(":"))  # not the heading of what follows
        return f"the C compiler failed: {next(telling, lines[0])}"
    return str(error) or type(error).__name__


def _compiler() -> list[str]:
    asked = shlex.split(os.environ.get("CC", ""))
    for words in (asked, ["cc"], ["gcc"], ["clang"]):
        if words and shutil.which(words[0]):
            return words
    raise NoKernels("there is no C compiler (cc, gcc or clang)")


def folder() -> Path:
    """What is made for this machine alone; NoKernels where others could write: their code is not loaded."""
    asked = Path(os.environ.get("XDG_CACHE_HOME", ""))
    root = asked if asked.is_absolute() else Path("~/.cache").expanduser()  # as the standard says
    own = root / "ddpm-tui"
    own.mkdir(parents=True, exist_ok=True, mode=0o700)
    about = own.stat()
    if about.st_uid != os.getuid() or about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise NoKernels(f"{own} could be written by others")
    return own


def _key(compiler: list[str]) -> str:
    """What the compiled code depends on: sources, flags, compiler, processor."""
    digest = hashlib.sha256()
    for name in (*_HEADERS, *_SOURCES):
        digest.update((Path(__file__).parent / name).read_bytes())
    version = subprocess.run([*compiler, "--version"], capture_output=True, timeout=20, check=True).stdout
    digest.update(repr((_FLAGS, compiler)).encode() + version + processor())
    return digest.hexdigest()[:20]


def processor() -> bytes:
    """What it can do, by its own words where the system tells: a home may be shared by unlike machines."""
    try:
        lines = Path("/proc/cpuinfo").read_bytes().splitlines()
    except OSError:
        return repr(os.uname()).encode()
    return b"\n".join(
        sorted({line for line in lines if line.startswith((b"flags", b"Features", b"model name"))})
    )


def _kept(folder: Path, name: str) -> Path | None:
    """The library of that name if it is there as it was made: loading a damaged one would end the process.

    Its file is called after its content too; others of the name are removed.
    """
    for path in folder.glob(f"{name}-*.so"):
        if path.stem == f"{name}-{_digest(path)}":
            return path
        path.unlink(missing_ok=True)
    return None


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:20]


def _build(compiler: list[str], folder: Path, name: str) -> Path:
    """Compiles aside and moves into place, so that processes that begin together do not meet."""
    atomic.sweep_folders(folder, _ASIDE)
    here = Path(__file__).parent
    with tempfile.TemporaryDirectory(dir=folder, prefix=_ASIDE) as work:
        objects = []
        for source in _SOURCES:
            objects.append(str(Path(work, source).with_suffix(".o")))
            _run([*compiler, *_FLAGS, "-c", str(here / source), "-o", objects[-1]])
        made = Path(work, "kernels.so")
        # OpenMP is torch's own, already loaded, where its names are seen: one set of threads, not two.
        _run([*compiler, "-shared", *objects, "-o", str(made)])
        try:
            _load(made)
        except OSError:
            _run([*compiler, "-shared", "-fopenmp", *objects, "-o", str(made)])
        return made.rename(folder / f"{name}-{_digest(made)}.so")


def _run(command: list[str]) -> None:
    subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=120, check=True)


def _load(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    for name, arguments in _ARGUMENTS.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, None
    library.winograd_has_halves.restype, library.attention_room.restype = _INT, _LONG
    return library
