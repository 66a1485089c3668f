"""Requests computed together: who is next, in batches of those that want the same."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ddpm import devices
from ddpm.samplers.steps import SampleStep
from ddpm.serving.limits import Busy
from ddpm.serving.turns import Turns, Unwanted

#: Batches of each kind, short and long, that are computed in turns.
_LANES = 2
#: Evaluations of images of the network's size up to which a request is a short one.
SHORT = 1000


@dataclass(eq=False)
class Job:
    """The images of one request. Those of an equal `key` can be computed by one call of `compute`, which
    takes (job, row) for each image and whose last x_t are the images."""

    key: Hashable
    rows: int
    tiles: int  #: of an image
    evaluations: int
    compute: Callable[[list[tuple[Job, int]]], Iterator[SampleStep]]
    request: Any  #: what `compute` needs to know
    arrived: float = field(default_factory=time.monotonic)
    done: Future[Tensor] = field(default_factory=Future)  #: float32 (rows,C,H,W) in [-1, 1], on the CPU
    begun: int = 0  #: rows that are, or were, computed
    images: dict[int, Tensor] = field(default_factory=dict)
    left: bool = False
    settled: bool = False

    @property
    def cost(self) -> int:
        """Evaluations of images of the network's size."""
        return self.rows * self.tiles * self.evaluations

    def leave(self) -> None:
        """Nobody waits for it any more: what is not computed yet is not."""
        self.left = True
        self.done.cancel()


class Batching:
    """Threads that compute jobs. Short and long ones have threads of their own, so that no number of long
    ones keeps a short one waiting; all of them take turns on the device. Of the long ones each has a batch
    at a time."""

    def __init__(self, turns: Turns, device: torch.device, *, size: int, window: float, queue: int) -> None:
        """size: tiles computed at once; window: seconds that a job waits for others like it; queue: jobs that
        are not done, at most."""
        self._turns, self._device = turns, device
        self._size, self._window, self._queue = size, window, queue
        self._changed = threading.Condition()
        self._lines: dict[bool, deque[Job]] = {False: deque(), True: deque()}  # short, long
        self._collecting = {False: threading.Lock(), True: threading.Lock()}
        self._open: set[Job] = set()
        self._pace = 0.0  # seconds for an evaluation of a tile, of late
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, args=(long,), name="batching", daemon=True)
            for long in (False, True)
            for _ in range(_LANES)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> None:
        """Raises Busy where too many are not done yet."""
        with self._changed:
            if len(self._open) >= self._queue:
                seconds = self._pace * sum(other.cost for other in self._open) / self._queue
                raise Busy(min(600, max(1, math.ceil(seconds))))
            self._open.add(job)
            job.done.add_done_callback(lambda _: self._forget(job))
            self._lines[job.cost > SHORT].append(job)
            self._changed.notify_all()

    def __len__(self) -> int:
        """Jobs that are not done."""
        return len(self._open)

    def close(self) -> None:
        """Drops all jobs; returns when no thread computes any more."""
        with self._changed:
            self._closed = True
            waiting = list(self._open)
            self._changed.notify_all()
        for job in waiting:
            job.leave()
        for thread in self._threads:
            thread.join()

    def _forget(self, job: Job) -> None:
        with self._changed:
            self._open.discard(job)
            self._changed.notify_all()

    # -- the threads --------------------------------------------------------------------------------

    def _work(self, long: bool) -> None:
        while True:
            with self._collecting[long]:
                batch = self._next(self._lines[long])
            if batch is None:
                return
            self._compute(batch)

    def _next(self, line: deque[Job]) -> list[tuple[Job, int]] | None:
        """The rows of a batch: the first job's, and of those like it, as many as there is room for."""
        with self._changed:
            while True:
                _drop_left(line)
                if self._closed:
                    return None
                if not line:
                    self._changed.wait()
                    continue
                first = line[0]
                room = max(1, self._size // first.tiles)
                alike = sum(job.rows - job.begun for job in line if job.key == first.key)
                missing = first.arrived + self._window - time.monotonic()
                if alike >= room or missing <= 0 or first.begun:
                    return _taken(line, first.key, room)
                self._changed.wait(missing)

    def _compute(self, batch: list[tuple[Job, int]]) -> None:
        """One batch; what fails fails for its jobs alone."""
        jobs = list(dict.fromkeys(job for job, _ in batch))
        try:
            with devices.memory_told(self._device, "ask for less at once"):
                x = self._images(batch, jobs)
        except Unwanted:
            return
        except Exception as error:
            for job in jobs:
                job.left = True
                if self._settles(job):
                    job.done.set_exception(error)
            return
        for (job, row), image in zip(batch, x, strict=True):
            job.images[row] = image
        for job in jobs:
            if len(job.images) == job.rows and self._settles(job):
                job.done.set_result(torch.stack([job.images[row] for row in range(job.rows)]))

    def _settles(self, job: Job) -> bool:
        """Whether the answer of a job is still to be given; once true it is this thread's to give."""
        with self._changed:
            first, job.settled = not job.settled, True
            return first and job.done.set_running_or_notify_cancel()

    def _images(self, batch: list[tuple[Job, int]], jobs: list[Job]) -> Tensor:
        """(N,C,H,W) in [-1, 1] on the CPU. Raises Unwanted where nobody waits for it any more."""

        def wanted() -> bool:
            return not self._closed and not all(job.left for job in jobs)

        began = time.monotonic()
        with self._turns.mine(wanted):
            for step in jobs[0].compute(batch):
                x = step.x_t
            x = x.clamp(-1, 1).float().cpu()
        pace = (time.monotonic() - began) / (len(batch) * jobs[0].tiles * jobs[0].evaluations)
        self._pace = pace if not self._pace else 0.8 * self._pace + 0.2 * pace
        return x


def _drop_left(line: deque[Job]) -> None:
    for job in [job for job in line if job.left]:
        line.remove(job)


def _taken(line: deque[Job], key: Hashable, room: int) -> list[tuple[Job, int]]:
    """Takes up to `room` rows of that key out of the line; who has more of them goes to its end."""
    batch: list[tuple[Job, int]] = []
    for job in [job for job in line if job.key == key]:
        count = min(job.rows - job.begun, room - len(batch))
        if not count:
            break
        batch += [(job, row) for row in range(job.begun, job.begun + count)]
        job.begun += count
        line.remove(job)
        if job.begun < job.rows:
            line.append(job)
    return batch
