"""A run that waits until another has ended: one device, and more to do than it holds at once.

`run.json` names the directory of the run before it (`after`); the worker waits by that run's lock. However it
ends, or if it is taken away, the next begins.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from runs.directory import RunDirectory
from runs.errors import RunError
from runs.status import running
from runs.supervisor import utc_now

_POLL_SECONDS = 0.5


def awaited(run: RunDirectory) -> RunDirectory | None:
    """The live run that `run` waits for; None where there is none (any more)."""
    name = run.info["after"]
    if name is None:
        return None
    other = RunDirectory(run.path.parent / name)
    return other if running(other.path) else None


def check(run: RunDirectory, other: RunDirectory) -> None:
    """RunError where `other` itself waits, for however long a line of runs, for `run`."""
    seen = set()
    ahead: RunDirectory | None = other
    while ahead is not None and ahead.path not in seen:
        if ahead.path == run.path:
            raise RunError(f"{run.name} (#{run.id}) cannot wait for {other.name}, which waits for it")
        seen.add(ahead.path)
        ahead = awaited(ahead)


def wait(run: RunDirectory, given_up: Callable[[], bool]) -> bool:
    """Returns once `run` may begin, and records what it waits for; False where it was `given_up` before."""
    ahead = awaited(run)
    if ahead is None:
        return True
    run.append_event({"event": "waiting", "time": utc_now(), "run": ahead.id})
    while running(ahead.path):
        if given_up():
            return False
        time.sleep(_POLL_SECONDS)
    return True
