"""Workers that take turns: each works while the others wait, so that load hits all alike."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from benchmarks.peers.environment import ROOT
from ddpm import process


class WorkerError(RuntimeError):
    """A worker ended, or could not do what it was told; one line."""


class Worker:
    """One engine's process. A context manager; it ends with it.

    start_up: seconds from its start until its first training step was done.
    """

    def __init__(self, python: Path, engine: str, specification: Path, log: Path) -> None:
        self.engine, self._log = engine, log
        log.parent.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        # Ours as in our runs; peers, unless told so, wait and keep memory as torch has them.
        if engine == "ours" or "settled" in engine.partition(":")[2].split(","):
            process.settle(environment)
        began = time.perf_counter()
        with log.open("w", encoding="utf-8") as errors:
            self._process = subprocess.Popen(
                [str(python), "-P", "-m", "benchmarks.peers.worker", engine, str(specification)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment,
                start_new_session=True,  # a terminal's Ctrl-C is for the one who asked
            )  # fmt: skip
        try:
            self._answer()
        except BaseException:
            self.close()
            raise
        self.start_up = time.perf_counter() - began

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """What the worker answers; WorkerError where it cannot."""
        stdin: IO[str] | None = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(json.dumps({"do": do, **more}) + "\n")
            stdin.flush()
        except BrokenPipeError:
            raise WorkerError(self._last_words()) from None
        return self._answer()

    def rates(self, do: str, **more: Any) -> tuple[float, float]:
        """Images per second and per core-second of "train" or "draw"."""
        answer = self.ask(do, **more)
        return answer["images"] / answer["seconds"], answer["images"] / answer["cpu_seconds"]

    def close(self) -> None:
        """Tells it to leave, and makes it."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise WorkerError(self._last_words())
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(f"{self.engine}: {answer['error']}")
        return answer

    def _last_words(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        return f"{self.engine} ended: {said[-1] if said else 'it said nothing'} ({self._log})"
