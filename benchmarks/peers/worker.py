"""A process that keeps one engine ready and works only when it is told to, so that engines can take turns.

    python -m benchmarks.peers.worker ENGINE SPECIFICATION.json

ENGINE: `ours`, `ddpm-pytorch`, or `diffusers:OPTION,OPTION…`. It takes one training step and says so; then
each line of standard input is a request and each of standard output its answer, JSON objects. Nothing but the
engine is imported here: the start is measured.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

MODULES = {"ours": "engine_ours", "diffusers": "engine_diffusers", "ddpm-pytorch": "engine_ddpm_pytorch"}


class Engine(Protocol):
    """What is measured. `_Engine(specification, options)` makes one ready to train."""

    def step(self) -> int:
        """One training step, as its users run it; images that it saw."""

    def draw(self) -> int:
        """One batch of images in 50 steps of DDIM; how many."""

    def facts(self) -> dict[str, Any]:
        """Versions, parameters, GFLOP of a training image, what was chosen."""


def main(argv: list[str]) -> int:
    # What libraries print must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    name, _, options = argv[0].partition(":")
    specification = json.loads(Path(argv[1]).read_text(encoding="utf-8"))
    if specification["threads"]:
        import torch

        torch.set_num_threads(specification["threads"])
    module = importlib.import_module(f"benchmarks.peers.{MODULES[name]}")
    engine: Engine = module.Engine(specification, [o for o in options.split(",") if o])
    engine.step()
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        try:
            answer = _answer(engine, json.loads(line))
        except Exception as error:  # the one who asked decides
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)
    return 0


def _answer(engine: Any, request: dict[str, Any]) -> dict[str, Any]:
    """{"do": "train", "seconds": s}, "draw", "facts", "memory", or a method with a "path" (export, agree)."""
    do = request["do"]
    if do == "train":
        return _timed(engine.step, request["seconds"])
    if do == "draw":
        return _timed(engine.draw, 0.0)
    if do == "facts":
        return engine.facts()
    if do == "memory":
        return {"peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
    if do in ("export", "agree"):
        return {"value": getattr(engine, do)(Path(request["path"]))}
    raise ValueError(f"there is no request {do!r}")


def _timed(work: Callable[[], int], least: float) -> dict[str, float]:
    """Images and the seconds they took, again and again until `least` seconds have passed.

    cpu_seconds: of this process's threads, which other programs on the machine lengthen much less.
    """
    images, began, cpu = 0, time.perf_counter(), time.process_time()
    while True:
        images += work()
        passed = time.perf_counter() - began
        if passed >= least:
            return {"images": images, "seconds": passed, "cpu_seconds": time.process_time() - cpu}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
