"""Means of a training's numbers over a window of steps, fetched from the device once a window."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Means:
    """Over the steps of a window."""

    loss: float
    gradient_norm: float
    learning_rate: float  #: of the last step
    images_per_second: float

    @property
    def finite(self) -> bool:
        return math.isfinite(self.loss) and math.isfinite(self.gradient_norm)


class Meter:
    """Sums on the device, so that a step waits for nothing; time outside of steps does not count."""

    def __init__(self, device: torch.device) -> None:
        self._sums = torch.zeros(
            2, dtype=torch.float64 if device.type != "mps" else torch.float32, device=device
        )
        self._steps = 0
        self._rate = 0.0
        self._began: float | None = None

    def start_step(self) -> None:
        """A step begins; the first of a window starts its clock."""
        if self._began is None:
            self._began = time.perf_counter()

    def add(self, loss: Tensor, gradient_norm: Tensor, learning_rate: float) -> None:
        """A step ended; loss and norm are scalars on the device."""
        self._sums += torch.stack([loss, gradient_norm]).to(self._sums.dtype)
        self._steps += 1
        self._rate = learning_rate

    def fetch(self, batch_size: int) -> Means | None:
        """The means since the last fetch, None if no step was taken; starts a new window."""
        if not self._steps or self._began is None:
            return None
        loss, norm = (self._sums / self._steps).tolist()  # waits for the device
        seconds = time.perf_counter() - self._began
        means = Means(loss, norm, self._rate, self._steps * batch_size / seconds)
        self._sums.zero_()
        self._steps, self._began = 0, None
        return means
