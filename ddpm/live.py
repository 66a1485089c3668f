"""A network kept ready to draw: grids on request, without the seconds that a process and its weights take.

`python -m ddpm.live CHECKPOINT --config JSON` reads requests from standard input, a JSON object a line:

    {"id": 3, "sampling": {"sampler": "ddim", "steps": 10, "seed": 7}}      what is not said is the run's;
                                                                            "columns": images in a row
    {"cancel": true}                                                        all requests before are dropped

and answers on standard output: first {"ready": device}; then for each request {"id", "done", "total"} now
and then while it draws, and at its end {"id", "png" (base64), "seconds", "evaluations", "count"},
{"id", "cancelled": true} or {"id", "error": "one line"}. It ends with its standard input.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ddpm import asker, configfiles, devices, images, subject
from ddpm.config import Config
from ddpm.configfiles import ConfigError
from ddpm.errors import EngineError
from ddpm.grids import GRID_LIMIT, by_class
from ddpm.subject import Subject

#: Seconds between two words on how far a request is.
_PACE = 0.1


class Live:
    """Draws what is asked, one request after the other; `cancel` from any thread."""

    def __init__(self, checkpoint: Path, config: Config, device: str = "auto") -> None:
        """Raises EngineError where the checkpoint is none."""
        self._config = config
        self._source: Subject = subject.from_checkpoint(checkpoint, config, devices.resolve(device))
        self._generation = 0  #: counts the cancellations; a request of an earlier one is void
        self._calls = 0
        for network in (self._source.network, self._source.guide):
            if network is not None:
                network.register_forward_hook(self._count)

    @property
    def device(self) -> str:
        return devices.title(self._source.device)

    @property
    def generation(self) -> int:
        """To be noted with each request as it comes in."""
        return self._generation

    def cancel(self) -> None:
        """What is drawn now and what was asked before ends without images."""
        self._generation += 1

    def _count(self, *_: Any) -> None:
        self._calls += 1

    def answer(self, request: dict[str, Any], generation: int) -> Iterator[dict[str, Any]]:
        """The answers to a request that was noted with `generation`, without its id."""
        try:
            config = self._asked(request.get("sampling"))
            advice = "ask for fewer images at once"
            with devices.memory_told(self._source.device, advice):
                yield from self._drawn(config, request.get("columns"), generation)
        except ConfigError as error:
            yield {"error": error.problems[0]}
        except EngineError as error:
            yield {"error": str(error)}

    def _asked(self, changes: Any) -> Config:
        values = self._config.model_dump()
        if not isinstance(changes, dict):
            raise ConfigError(["sampling: it is no object of values"])
        values["sampling"].update(changes)
        config = configfiles.build(values)
        if config.sampling.count > GRID_LIMIT:
            raise ConfigError([f"sampling.count: {config.sampling.count} is above {GRID_LIMIT}"])
        loaded = self._config.sampling
        for key in ("average", "ema", "guidance_step"):
            if getattr(config.sampling, key) != getattr(loaded, key):
                raise ConfigError([f"sampling.{key}: the weights are loaded; start again with others"])
        return config

    def _drawn(self, config: Config, columns: Any, generation: int) -> Iterator[dict[str, Any]]:
        began = told = time.monotonic()
        self._calls = 0
        count = config.sampling.count
        for step in self._source.draw(config, range(count)):
            if generation != self._generation:
                yield {"cancelled": True}
                return
            if step.index < step.total and time.monotonic() - told >= _PACE:
                told = time.monotonic()
                yield {"done": step.index, "total": step.total}
        pixels = images.to_uint8(step.x_t.cpu())
        if not isinstance(columns, int) or not 1 <= columns <= count:
            pixels, columns = by_class(pixels, config)
        png = base64.b64encode(images.png(images.grid(pixels, columns))).decode()
        seconds = round(time.monotonic() - began, 4)
        yield {"png": png, "seconds": seconds, "evaluations": self._calls, "count": count}


def _listen(live: Live, requests: queue.SimpleQueue[tuple[dict[str, Any], int]]) -> None:
    """Requests as they come; a cancellation works at once. Ends the process with its standard input."""
    for line in sys.stdin:
        try:
            request = json.loads(line)
        except ValueError:
            continue
        if not isinstance(request, dict):
            continue
        if request.get("cancel"):
            live.cancel()
        else:
            requests.put((request, live.generation))
    os._exit(0)  # in the middle of a long step too: nobody is left to see it


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer requests until standard input ends."""
    parser = argparse.ArgumentParser(description="Keep a network ready to draw; speaks JSON, a line each.")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--config", required=True, help="the whole configuration, as JSON")
    parser.add_argument("--device", default="auto")
    args = parser.parse_args(arguments)
    asker.end_with_it()
    try:
        live = Live(args.checkpoint, Config.model_validate_json(args.config), args.device)
    except EngineError as error:
        _say({"error": str(error)})
        return 1
    requests: queue.SimpleQueue[tuple[dict[str, Any], int]] = queue.SimpleQueue()
    _say({"ready": live.device})
    threading.Thread(target=_listen, args=(live, requests), name="requests", daemon=True).start()
    while True:
        request, generation = requests.get()
        for answer in live.answer(request, generation):
            _say({"id": request.get("id"), **answer})


if __name__ == "__main__":
    raise SystemExit(main())
