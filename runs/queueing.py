"""A run that waits until another has ended: one device, and more to do than it holds at once.

`run.json` names the directory of the run before it (`after`) until its turn has come; the worker waits by
that run's lock. However that one ends, or if it is taken away, the next begins. Of a run that ended while it
waited itself, the next takes over the place in the line.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from runs import directory
from runs.directory import RunDirectory
from runs.errors import RunError
from runs.home import Home
from runs.status import running
from runs.supervisor import utc_now

_POLL_SECONDS = 0.5


def awaited(run: RunDirectory) -> RunDirectory | None:
    """The live run that `run` waits for; None where there is none (any more)."""
    seen = {run.path}
    for other in _ahead(run):
        if running(other.path):
            return other
        if other.path in seen:
            return None
        seen.add(other.path)
    return None


def _ahead(run: RunDirectory) -> Iterator[RunDirectory]:
    """The run before it, that before this one, as long as they have not begun."""
    while True:
        with suppress(RunError):  # one that is gone, or no run any more
            name = run.info["after"]
            if name is not None:
                run = RunDirectory(run.path.parent / name)
                yield run
                continue
        return


def check(run: RunDirectory, other: RunDirectory) -> None:
    """RunError where `other` is `run`, or itself waits for it, in however long a line of runs."""
    if other.path == run.path:
        raise RunError(f"{run.name} (#{run.id}) cannot wait for itself")
    seen = set()
    ahead = awaited(other)
    while ahead is not None and ahead.path not in seen:
        if ahead.path == run.path:
            raise RunError(f"{run.name} (#{run.id}) cannot wait for {other.name}, which waits for it")
        seen.add(ahead.path)
        ahead = awaited(ahead)


def waiting_for(home: Home, other: RunDirectory) -> list[RunDirectory]:
    """The live runs that wait for this one."""
    found = (run for _, run in directory.infos(home) if run.path != other.path and running(run.path))
    return [run for run in found if awaited(run) == other]


def wait(run: RunDirectory, given_up: Callable[[], bool], told: Callable[[str], None]) -> bool:
    """Returns once `run` may begin: True at once if it need not wait, or where it was `given_up`.

    Records what it waits for, and that it does not any more. False where it has waited: then so long has
    passed that the process had better begin anew (`begin_anew`).
    """
    now: Path | None = None
    while (other := awaited(run)) is not None and not given_up():
        if other.path != now:
            now = other.path
            with suppress(RunError):
                if run.info["after"] != now.name:  # else the place is lost with a run that is removed
                    run.edit(after=now.name)
                _record(run, other.id)
                told(f"waits for {other.name} (#{other.id}) to end")
        time.sleep(_POLL_SECONDS)
    if given_up():
        return True
    if run.info["after"] is not None:
        with suppress(RunError):  # a full disk: whoever is not alive is not waited for anyway
            run.edit(after=None)
    if now is None:
        return True
    _record(run, None)
    return False


def _record(run: RunDirectory, number: int | None) -> None:
    run.append_event({"event": "waiting", "time": utc_now(), "run": number})


def begin_anew(lock: int | None) -> None:
    """The same program in the same process, so that all it loads is of one time."""
    if lock is not None:
        os.set_inheritable(lock, True)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
