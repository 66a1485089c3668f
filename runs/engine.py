"""Work of the engine that is no run, in a process of its own: what comes back are JSON objects, a line each.

So the command and the app need no torch. A module of the engine that can be run so prints what it has done
so far as often as it likes, its result last, and {"error": "one line"} where it fails for a reason that a
person can mend.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Generator
from typing import Any

from ddpm import asker
from runs import interpreter
from runs.errors import RunError

#: Seconds that a process has to clean up when whoever asked has left.
PATIENCE = 1.0


def answers(module: str, *arguments: str) -> Generator[dict[str, Any], None, None]:
    """The objects that `python -m module arguments` prints, each as it comes.

    The process ends with the iterator: whoever leaves early closes it (`contextlib.closing`), and whoever is
    killed takes it along (`ddpm.asker`). RunError, in one line, where the work failed.
    """
    with tempfile.TemporaryFile("w+", errors="replace") as errors:
        process = subprocess.Popen(
            interpreter.command(module, *arguments),
            env=interpreter.environment() | {asker.VARIABLE: str(os.getpid())},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # a terminal's Ctrl-C is for the one who asked, not for this one
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                yield _object(module, line)
            code = process.wait()
        finally:
            _end(process)
            process.stdout.close()
        if code:
            errors.seek(0)
            lines = [line.strip() for line in errors if line.strip()]
            reason = lines[-1] if lines else _ended(code)
            raise RunError(f"{module} failed: {reason}")


def _end(process: subprocess.Popen[str]) -> None:
    """At once: it may clean up, but in the middle of a long computation it hears of no signal."""
    process.terminate()  # nothing, where it has ended
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _object(module: str, line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise RunError(f"{module} printed what is no JSON object: {line.strip()[:80]!r}")
    if "error" in found:
        raise RunError(str(found["error"]))
    return found


def _ended(code: int) -> str:
    return f"ended by signal {-code}" if code < 0 else f"exit code {code}"
