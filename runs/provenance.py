"""Where a result comes from: machine, versions, the code's commit, seed and device."""

from __future__ import annotations

import getpass
import os
import platform
import socket
import subprocess
from pathlib import Path
from typing import Any

#: What can change the numbers or the files of a run.
PACKAGES = ("ddpm-tui", "torch", "torchvision", "numpy", "pillow", "safetensors", "pydantic", "textual")


def collect(*, seed: int, device: str) -> dict[str, Any]:
    """What `run.json` says of a run's origin; unknown is None. Takes some tens of milliseconds."""
    commit, dirty = git_state(Path(__file__).resolve().parent.parent)
    return {
        "host": socket.gethostname() or None,
        "user": _user(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "packages": versions(),
        "git_commit": commit,
        "git_dirty": dirty,
        "seed": seed,
        "device": device,
    }


def versions() -> dict[str, str | None]:
    """Installed versions of the packages that matter."""
    return {name: version(name) for name in PACKAGES}


def version(package: str) -> str | None:
    """Of an installed package; None where it is not installed."""
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def git_state(root: Path) -> tuple[str | None, bool | None]:
    """(commit, whether tracked files differ from it) of a checkout; (None, None) of what is none."""
    if not (root / ".git").exists():
        return None, None
    commit = _git(root, "rev-parse", "HEAD")
    changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    return commit or None, None if changes is None else bool(changes)


def _git(root: Path, *arguments: str) -> str | None:
    # Variables such as GIT_DIR, which hooks set, would point to another repository.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    environment["GIT_OPTIONAL_LOCKS"] = "0"
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=3,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user id without an account, as in containers
        return None
