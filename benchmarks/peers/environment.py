"""An environment of its own for each peer, in `.bench/`, from the pinned names of `benchmarks/peers/*.txt`.

It begins with what our environment has (a `.pth` file), so that torch is there once and is the same; only
what ours lacks is installed. Clean: everything anew, at the versions of `constraints.txt`.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".bench"
PEERS = ("diffusers", "ddpm-pytorch")


def python_of(peer: str, *, clean: bool = False) -> Path:
    """The Python of a peer's environment, made if there is none or its requirements have changed.

    Raises SystemExit, in one line, where the packages cannot be installed.
    """
    if peer not in PEERS:
        raise ValueError(f"there is no peer {peer!r}; there are {', '.join(PEERS)}")
    folder = HOME / (f"{peer}-clean" if clean else peer)
    python, stamp = folder / "bin" / "python", folder / "ready"
    requirements = Path(__file__).with_name(f"{peer}.txt")
    wanted = _digest(requirements, ROOT / "constraints.txt", sys.executable)
    if python.exists() and stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
        return python
    print(f"setting up {folder.relative_to(ROOT)}", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    if not clean:
        _chain(folder)
    install = ["install", "--quiet", "--disable-pip-version-check", "-c", str(ROOT / "constraints.txt")]
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    done = subprocess.run([*pip, *install, "-r", str(requirements)], check=False, stdout=sys.stderr)
    if done.returncode:
        raise SystemExit(f"the packages of {requirements.name} could not be installed")
    stamp.write_text(wanted, encoding="ascii")
    return python


def _chain(folder: Path) -> None:
    """What our environment has is there too, after what the peer's own has."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    ours = sysconfig.get_paths()["purelib"]
    (folder / "lib" / version / "site-packages" / "ours.pth").write_text(f"{ours}\n", encoding="utf-8")


def _digest(*parts: Path | str) -> str:
    """Of the contents of files and of words."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part.read_bytes() if isinstance(part, Path) else part.encode())
    return found.hexdigest()
