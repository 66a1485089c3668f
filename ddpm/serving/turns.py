"""Whose turn it is to compute: one at a time, each with an equal share of the time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Unwanted(Exception):
    """Nobody waits for what is being computed."""


class Turns:
    """Threads that take turns. Whoever had the least time since it came goes on, so that short work beside
    long work takes but twice as long as alone, however much the long one computes at once."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._holder: int | None = None
        self._since = 0.0
        self._spent: dict[int, float] = {}  # seconds, by thread
        self._waiting: dict[int, None] = {}  # in their order
        self._wanted: dict[int, Callable[[], bool]] = {}

    @contextmanager
    def mine(self, wanted: Callable[[], bool]) -> Iterator[None]:
        """A context in which this thread computes, but for the times in `pass_on`; which raises Unwanted once
        `wanted` says no."""
        me = threading.get_ident()
        with self._changed:
            self._spent[me] = min(self._spent.values(), default=0.0)
            self._wanted[me] = wanted
            self._wait(me)
        try:
            yield
        finally:
            with self._changed:
                del self._spent[me], self._wanted[me]
                self._hand_over()

    def pass_on(self) -> None:
        """Lets another thread go on where one has had less time; returns when it is this one's turn again."""
        me = threading.get_ident()
        with self._changed:
            now = time.monotonic()
            self._spent[me] += now - self._since
            self._since = now
            if any(self._spent[other] < self._spent[me] for other in self._waiting):
                self._waiting[me] = None
                self._hand_over()
                self._wait(me)
        if not self._wanted[me]():
            raise Unwanted

    @property
    def contended(self) -> bool:
        return bool(self._waiting)

    def _wait(self, me: int) -> None:
        self._waiting[me] = None
        if self._holder is None:
            self._hand_over()
        self._changed.wait_for(lambda: self._holder == me)

    def _hand_over(self) -> None:
        self._holder = min(self._waiting, key=self._spent.__getitem__, default=None)
        if self._holder is not None:
            del self._waiting[self._holder]
        self._since = time.monotonic()
        self._changed.notify_all()


class Shared(nn.Module):
    """A network that threads share: before each evaluation another one may have its turn."""

    def __init__(self, network: nn.Module, turns: Turns) -> None:
        super().__init__()
        self.network = network
        self._turns = turns

    def forward(self, x: Tensor, timesteps: Tensor, *told: Tensor) -> Tensor:
        if self._turns.contended and x.device.type != "cpu":
            torch.accelerator.synchronize(x.device)  # what was launched is time spent
        self._turns.pass_on()
        return self.network(x, timesteps, *told)
