"""Which timesteps a training step learns from: all alike, or those whose loss is large more often."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor


class Timesteps(Protocol):
    """Draws timesteps, with weights that make the mean of a loss what it is over all of them alike."""

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Timesteps int64 (count,) in 0 … T-1 and weights float32 (count,), on the generator's device."""

    def learn(self, times: Tensor, losses: Tensor) -> None:
        """Takes in the losses (N,) found at `times` (N,)."""

    def state(self) -> dict[str, Tensor]:
        """All that it has learned."""

    def load(self, state: dict[str, Tensor]) -> None:
        """Puts back what `state` gave; KeyError or RuntimeError if a tensor is missing or another's."""


class Uniform:
    """Every timestep alike (Ho et al. 2020)."""

    def __init__(self, timesteps: int) -> None:
        self._timesteps = timesteps

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        times = torch.randint(self._timesteps, (count,), generator=generator, device=generator.device)
        return times, torch.ones(count, device=generator.device)

    def learn(self, times: Tensor, losses: Tensor) -> None:
        pass

    def state(self) -> dict[str, Tensor]:
        return {}

    def load(self, state: dict[str, Tensor]) -> None:
        pass


#: Losses of each timestep that are remembered (Nichol & Dhariwal 2021, section 3.3).
HISTORY = 10
#: Share of the draws that stays alike for all, so that none is ever forgotten (there, released code).
ALIKE = 0.001


class LossSecondMoment:
    """In proportion to the root mean square of the last losses (Nichol & Dhariwal 2021, eq. 18).

    Every timestep alike until each has been seen HISTORY times.
    """

    def __init__(self, timesteps: int) -> None:
        self._losses = torch.zeros(timesteps, HISTORY, dtype=torch.float64)
        self._counts = torch.zeros(timesteps, dtype=torch.int64)

    def probabilities(self) -> Tensor:
        """float64 (T,), on the CPU."""
        timesteps = len(self._counts)
        if not (self._counts == HISTORY).all():
            return torch.full((timesteps,), 1 / timesteps, dtype=torch.float64)
        wanted = (self._losses**2).mean(1).sqrt()
        return (1 - ALIKE) * wanted / wanted.sum() + ALIKE / timesteps

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        chances, device = self.probabilities(), generator.device
        places = torch.rand(count, generator=generator, device=device).double().cpu()
        times = torch.searchsorted(chances.cumsum(0), places, right=True).clamp(max=len(chances) - 1)
        weights = 1 / (len(chances) * chances[times])
        return times.to(device), weights.float().to(device)

    def learn(self, times: Tensor, losses: Tensor) -> None:
        for time, loss in zip(times.tolist(), losses.double().tolist(), strict=True):
            count = int(self._counts[time])
            if count == HISTORY:  # the oldest is forgotten
                self._losses[time] = self._losses[time].roll(-1)
                self._losses[time, -1] = loss
            else:
                self._losses[time, count] = loss
                self._counts[time] = count + 1

    def state(self) -> dict[str, Tensor]:
        return {"losses": self._losses.clone(), "counts": self._counts.clone()}

    def load(self, state: dict[str, Tensor]) -> None:
        self._losses.copy_(state["losses"])
        self._counts.copy_(state["counts"])
