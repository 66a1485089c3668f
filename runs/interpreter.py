"""How to start Python so that it finds this very code, from wherever this one was started."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from ddpm import process


def command(module: str, *arguments: str) -> list[str]:
    """`python -P -m module …`: with -P no file of the working directory can pass for a module."""
    return [sys.executable, "-P", "-m", module, *arguments]


def environment(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for it: `base` (default: this process's), with the way to a checkout's packages.

    Relative entries of PYTHONPATH are made absolute, as the new process works elsewhere.
    """
    variables = dict(os.environ if base is None else base)
    process.settle(variables)
    paths = [str(Path(p).absolute()) for p in variables.get("PYTHONPATH", "").split(os.pathsep) if p]
    root = Path(__file__).resolve().parent.parent
    installed = {Path(sysconfig.get_path(kind)).resolve() for kind in ("purelib", "platlib")}
    if root not in installed and str(root) not in paths:
        paths.insert(0, str(root))
    if paths:
        variables["PYTHONPATH"] = os.pathsep.join(paths)
    return variables
