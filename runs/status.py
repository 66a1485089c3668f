"""What state a run is in, derived from its directory alone (docs/architecture.md, Status)."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Any

from runs import files
from runs.rows import Status
from runs.supervisor import last_event

__all__ = ["exit_info", "last_event", "probe", "running"]

_ENDS: dict[str, Status] = {"finished": "finished", "stopped": "stopped", "failed": "failed"}


def probe(path: Path) -> Status:
    """The status of the run in a directory: some system calls, whatever its size."""
    if running(path):
        return "running"
    told = exit_info(path) or {}
    if (status := _ENDS.get(str(told.get("status")))) is not None:
        return status
    event = last_event(path / "events.jsonl") or {}
    if event.get("event") == "ended":
        return _ENDS.get(str(event.get("status")), "lost")
    return "lost"


def running(path: Path) -> bool:
    """Whether supervisor or worker live: they hold the lock, and the kernel lets go of it with them."""
    try:
        descriptor = os.open(path / "run.lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def exit_info(path: Path) -> dict[str, Any] | None:
    """`exit.json`, or None where there is none that can be read."""
    with contextlib.suppress(OSError, files.UnreadableError):
        return files.read_object(path / "exit.json")
    return None
