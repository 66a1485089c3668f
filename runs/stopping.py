"""Stopping a run: ask, then SIGTERM, then SIGKILL, and never a signal to a process that is not the run's."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from pathlib import Path
from typing import Any

from runs import files
from runs.directory import RunDirectory
from runs.errors import RunError
from runs.rows import Status
from runs.status import probe, running
from runs.supervisor import boot_id, start_time

_POLL_SECONDS = 0.05
_KILL_SECONDS = 10.0
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
#: What asks a worker to end where no file can.
ASK = signal.SIGUSR1


def request_stop(run: RunDirectory) -> None:
    """Ask a run to finish its step, write a checkpoint and end: by a file; where none can be written, as on a
    full disk, by SIGUSR1. To ask twice is to ask once. RunError if it does not run, or cannot be asked.
    """
    status = probe(run.path)
    if status != "running":
        raise RunError(f"{run.name} (#{run.id}) is not running; it is {status}")
    try:
        (run.path / "stop").touch()
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise RunError(f"{run.path / 'stop'} cannot be written: {error.strerror}") from None
        signal_worker(run.path, ASK)


def stop(run: RunDirectory, patience: float = 60, kill_after: float = 10) -> Status:
    """Stop a run and return its status then: asked first, SIGTERM after `patience` seconds, SIGKILL
    `kill_after` seconds later.

    RunError if it does not run, or if its process cannot be told for certain.
    """
    request_stop(run)
    return see_out(run, patience, kill_after)


def see_out(run: RunDirectory, patience: float, kill_after: float = 10) -> Status:
    """`stop` of a run that has been asked already. One that has ended by now is none to complain of."""
    if _ended_within(run.path, patience):
        return probe(run.path)
    for number, seconds in ((signal.SIGTERM, kill_after), (signal.SIGKILL, _KILL_SECONDS)):
        signal_worker(run.path, number)
        if _ended_within(run.path, seconds):
            return probe(run.path)
    raise RunError(
        f"{run.name} (#{run.id}) does not end, not even by SIGKILL; its process hangs in the system"
    )


def signal_worker(path: Path, number: signal.Signals) -> None:
    """Send a signal to the worker's process group, if that is certainly still the worker's.

    Its process id, start time and the machine's boot must all be those of `process.json`. Nothing is sent
    if the worker is gone; RunError where the record does not say or belongs to another boot.
    """
    record = _process_record(path)
    try:
        worker = record["worker"]
        pid, started, boot = int(worker["pid"]), str(worker["start_time"]), str(record["boot_id"])
    except (KeyError, TypeError, ValueError):
        raise RunError(f"{path / 'process.json'} does not tell the run's process; end it by hand") from None
    if pid <= 1 or boot != boot_id():
        raise RunError(f"{path / 'process.json'} is of another boot or machine; the run's process is unknown")
    if start_time(pid) != started:
        return
    try:
        with contextlib.suppress(ProcessLookupError):
            # Its children need not know what it is asked; they end with it.
            (os.kill if number == ASK else os.killpg)(pid, number)
    except PermissionError:
        raise RunError(f"the run's process {pid} is another user's; it gets no signal") from None


def _process_record(path: Path) -> dict[str, Any]:
    try:
        return files.read_object(path / "process.json")
    except (OSError, files.UnreadableError):
        return {}


def _ended_within(path: Path, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while running(path):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
