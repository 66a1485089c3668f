"""A network kept ready to draw, in a process of its own (`ddpm.live`): requests go in, grids come out."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddpm import asker, guides
from ddpm.config import Config
from runs import interpreter
from runs.checks import check_draws, checkpoint_of, latest_step
from runs.directory import RunDirectory
from runs.errors import RunError

MODULE = "ddpm.live"


@dataclass(frozen=True, slots=True)
class Ready:
    """The network is loaded."""

    device: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """How far a request is."""

    id: int
    done: int
    total: int  #: steps


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a request came to."""

    id: int
    png: bytes
    seconds: float
    evaluations: int  #: of the network, counted
    count: int  #: images


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that could not be: why, in one line; None where it was cancelled."""

    id: int
    error: str | None


Answer = Ready | Drawing | Drawn | Refused


class Live:
    """The process: started at once, ended by `close`, or with whoever started it.

    `ask` and `cancel` come from one thread, `answers` is read by another.
    """

    def __init__(self, run: RunDirectory, step: int | None = None, *, device: str = "auto") -> None:
        """Of a training's checkpoint (None: its latest). RunError where there is none, or no process."""
        check_draws(run)
        self.step = latest_step(run) if step is None else step
        self.config: Config = guides.fitting(run.config(), self.step)
        checkpoint: Path = checkpoint_of(run, self.step)
        options = [f"--config={self.config.model_dump_json()}", f"--device={device}"]
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - closed by `close`
        try:
            self._process = subprocess.Popen(
                interpreter.command(MODULE, str(checkpoint), *options),
                env=interpreter.environment() | {asker.VARIABLE: str(os.getpid())},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
                start_new_session=True,  # a terminal's Ctrl-C is for the one who asked, not for this one
            )
        except OSError as error:
            self._errors.close()
            raise RunError(f"{MODULE} could not be started: {error.strerror}") from None
        self._asked = 0
        self._closed = False

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, sampling: Mapping[str, Any], columns: int | None = None) -> int:
        """Asks for a grid with these values of [sampling], the others as the run has them; its id.

        columns: images in a row; None: as square as can be, or a row for each class.
        """
        self._asked += 1
        self._write({"id": self._asked, "sampling": dict(sampling), "columns": columns})
        return self._asked

    def cancel(self) -> None:
        """Drops all that was asked before."""
        self._write({"cancel": True})

    def _write(self, request: dict[str, Any]) -> None:
        """Of a process that is gone `answers` tells."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()

    def answers(self) -> Iterator[Answer]:
        """What comes back, as it comes, until `close`. RunError where the process ends before."""
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError):  # closed while it was read
            for line in self._process.stdout:
                found = _answer(line)
                if found is not None:
                    yield found
        if not self._closed:
            raise RunError(f"the network could not be kept ready: {self._reason()}")

    def _reason(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        lines = [line.strip() for line in self._errors if line.strip()]
        return lines[-1] if lines else f"its process ended (exit code {code})"

    def close(self) -> None:
        """Ends the process, whatever it is at; waits for no step."""
        if self._closed:
            return
        self._closed = True
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._errors.close()


def _answer(line: str) -> Answer | None:
    """A line of the process; None for one that says nothing. RunError where it cannot begin."""
    try:
        found = json.loads(line)
        if "ready" in found:
            return Ready(str(found["ready"]))
        if "id" not in found:
            raise RunError(str(found["error"]))
        number = int(found["id"])
        if "png" in found:
            png = base64.b64decode(found["png"])
            return Drawn(number, png, found["seconds"], found["evaluations"], found["count"])
        if "done" in found:
            return Drawing(number, found["done"], found["total"])
        return Refused(number, found.get("error"))
    except (ValueError, KeyError, TypeError):
        return None
