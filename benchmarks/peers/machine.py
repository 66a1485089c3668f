"""What figures were measured on, and a word for it that a file can be named by."""

from __future__ import annotations

import datetime
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.peers.environment import ROOT

#: Of the processor's flags those that matter to a network's speed.
FLAGS = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")


def describe() -> dict[str, Any]:
    """Processor, its cores for this process and its flags, system, date and commit; unknown is None."""
    model, flags = _processor()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": model,
        "cores": cores,
        "flags": [flag for flag in FLAGS if flag in flags],
        "system": platform.system(),
        "python": platform.python_version(),
        "load_average": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "--short", "HEAD"),
        "changed": bool(_git("status", "--porcelain", "--untracked-files=no")),
    }


def slug(machine: dict[str, Any]) -> str:
    """A word for a machine: "amd-epyc-2-cores-avx2"."""
    widest = next((f for f in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if f in machine["flags"]), "")
    words = f"{machine['processor']} {machine['cores']} cores {widest}"
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def _processor() -> tuple[str, set[str]]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine() or "CPU", set()
    found = dict(re.findall(r"^(model name|flags)\s*:\s*(.*)$", text, re.MULTILINE))
    return found.get("model name", "") or platform.machine(), set(found.get("flags", "").split())


def _git(*words: str) -> str | None:
    done = subprocess.run(["git", "-C", str(ROOT), *words], check=False, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None
