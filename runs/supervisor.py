"""Starts a run's worker, waits for it and writes down how it ended.

Run by path, alone, with nothing but the standard library, so that it is small, starts in some 30 ms and
cannot fail for what the worker needs:

    python -I -S supervisor.py RUN_DIR LOCK_FD -- WORKER ARGV …

It leads a session of its own, ignores the signals that end programs by habit, and holds the run's lock
through the inherited descriptor until `exit.json` is written. Other modules use its small functions for
process identity and atomic files, so that both sides mean the same by them.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

BALLAST = ".ballast"
_BALLAST_BYTES = 64 * 1024
_RETRY_SECONDS = 60.0
_TAIL_BYTES = 16 * 1024
_MESSAGE_LENGTH = 500


# -- shared with the other modules ------------------------------------------------------------------


def utc_now() -> str:
    """ISO 8601 in UTC with milliseconds."""
    now = datetime.now(timezone.utc)  # noqa: UP017 (datetime.UTC reads worse)
    return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def write_atomic(path: Path, text: str) -> None:
    """Replace a file so that a reader, or a crash, meets the old text or the new, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def boot_id() -> str:
    """Which boot of the machine this is."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return _output("sysctl", "-n", "kern.bootsessionuuid")


def start_time(pid: int) -> str | None:
    """When a process started, in the kernel's own words; None when there is no such process.

    With the boot id this tells a process from a later one that got the same number.
    """
    if Path("/proc/self/stat").exists():
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        except OSError:
            return None
        return stat.rpartition(")")[2].split()[19]  # field 22; the name in field 2 may hold anything
    return _output("ps", "-o", "lstart=", "-p", str(pid)) or None


def last_event(events: Path, beyond: int = 0) -> dict[str, Any] | None:
    """The last whole event of a record that starts at or after byte `beyond`, read from the file's end."""
    for line in reversed(_tail(events, beyond)[0].split(b"\n")[:-1]):
        with contextlib.suppress(ValueError, RecursionError):
            record = json.loads(line)
            if isinstance(record, dict) and "event" in record:
                return record
    return None


def _tail(path: Path, beyond: int = 0) -> tuple[bytes, int]:
    """(the last bytes of a file beyond an offset, its size); empty where there is no file."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(min(beyond, size), size - _TAIL_BYTES))
            return file.read(), size
    except OSError:
        return b"", 0


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


# -- the supervisor ---------------------------------------------------------------------------------


def main(argv: list[str]) -> int:
    """Supervise one worker. Returns 0, or the errno of what kept the worker from starting."""
    run, lock, worker = Path(argv[0]), int(argv[1]), argv[3:]
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        # A handler that does nothing, as an ignored signal would stay ignored in the worker.
        signal.signal(number, lambda *_: None)
    started_at = utc_now()
    events_before, log_before = _size(run / "events.jsonl"), _size(run / "log.txt")
    kills_before = oom_kills()
    try:
        (run / BALLAST).write_bytes(b"\0" * _BALLAST_BYTES)
        process = subprocess.Popen(worker, pass_fds=(lock,), process_group=0)
        _write_process(run, process)
    except OSError as error:
        _complain(f"the worker could not be started: {error}")
        return error.errno or 1
    code = _wait(process)
    end = {
        **_ending(run, code, events_before, log_before, oom_kills() - kills_before),
        "started_at": started_at,
        "ended_at": utc_now(),
    }
    _write_exit(run, end)
    return 0


def _write_process(run: Path, process: subprocess.Popen[bytes]) -> None:
    record = {
        "boot_id": boot_id(),
        "supervisor": {"pid": os.getpid(), "start_time": start_time(os.getpid())},
        "worker": {"pid": process.pid, "start_time": start_time(process.pid)},
    }
    try:
        write_atomic(run / "process.json", json.dumps(record, indent=2) + "\n")
    except OSError:
        process.kill()
        process.wait()
        raise


def _wait(process: subprocess.Popen[bytes]) -> int:
    """The worker's return code (negative: its signal), once it and all that it left behind are gone."""
    if hasattr(os, "waitid"):
        # While the dead worker is not yet reaped no one else can get its number as group.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def _ending(run: Path, code: int, events_before: int, log_before: int, kills: int) -> dict[str, Any]:
    """How a worker with this return code ended, as `exit.json` tells it."""
    said = last_event(run / "events.jsonl", events_before) or {}
    said = said if said.get("event") == "ended" else {}
    stop_asked = (run / "stop").exists()
    end: dict[str, Any] = {"code": None, "signal": None, "out_of_memory": False}
    if code < 0:
        end["signal"] = _signal_name(-code)
        end["status"] = "stopped" if stop_asked else "failed"
        end["message"] = f"ended by {end['signal']}"
        if -code == signal.SIGKILL and kills > 0:
            end["out_of_memory"] = True
            end["message"] = (
                "ended by the system (SIGKILL): out of memory; try a smaller training.batch_size, "
                "or a larger training.accumulation"
            )
        return end
    end["code"] = code
    if code == 0:
        status = said.get("status")
        end["status"] = status if status in ("finished", "stopped") else _silent_end(stop_asked)
        end["message"] = said.get("message")
    else:
        end["status"] = "failed"
        end["message"] = said.get("message") or _last_line(run / "log.txt", log_before) or f"exit code {code}"
    if end["message"] is not None:
        end["message"] = str(end["message"])[:_MESSAGE_LENGTH]
    return end


def _silent_end(stop_asked: bool) -> str:
    return "stopped" if stop_asked else "finished"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


def _last_line(log: Path, beyond: int) -> str | None:
    """The last line of a log that says something; of a line drawn over and over its last state."""
    text = _tail(log, beyond)[0].decode("utf-8", "replace")
    for line in reversed(text.split("\n")):
        line = line.rstrip("\r").rpartition("\r")[2].strip()
        if line:
            return line
    return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _write_exit(run: Path, end: dict[str, Any]) -> None:
    """Write exit.json, also where the disk is full: the ballast makes room, and others may yet."""
    deadline = time.monotonic() + _RETRY_SECONDS
    while True:
        try:
            (run / BALLAST).unlink(missing_ok=True)
            write_atomic(run / "exit.json", json.dumps(end, indent=2) + "\n")
            return
        except OSError as error:
            if time.monotonic() > deadline:
                _complain(f"exit.json could not be written: {error}")
                return
            time.sleep(0.5)


def _complain(text: str) -> None:
    with contextlib.suppress(OSError):  # the log may lie on the disk that is full
        os.write(sys.stderr.fileno(), f"{text}\n".encode())


def oom_kills(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> int:
    """Processes ended for lack of memory so far: in this control group, else on the machine, else 0."""
    candidates = []
    with contextlib.suppress(OSError):
        for line in (proc / "self/cgroup").read_text().splitlines():
            _, controllers, group = line.split(":", 2)
            if controllers == "":  # version 2
                candidates.append(cgroups / group.lstrip("/") / "memory.events")
            elif "memory" in controllers.split(","):
                candidates.append(cgroups / "memory" / group.lstrip("/") / "memory.oom_control")
    # In a container the group's path may be the host's, and its own is the root of the mount.
    candidates += [cgroups / "memory.events", cgroups / "memory/memory.oom_control", proc / "vmstat"]
    for path in candidates:
        with contextlib.suppress(OSError, ValueError):
            for line in path.read_text().splitlines():
                name, _, count = line.partition(" ")
                if name == "oom_kill":
                    return int(count)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
