"""What a network is trained for (`training.objective`): what is drawn for a step, and its loss."""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ddpm import schedules, weighting
from ddpm.bound import Bound
from ddpm.config import Config
from ddpm.consistency import Consistency
from ddpm.diffusion import Marginals, split, x0_of
from ddpm.feed import Batch, tells
from ddpm.restoration.denoising import Denoising
from ddpm.timesteps import LossSecondMoment, Timesteps, Uniform

#: Lambda of L_hybrid = L_simple + lambda L_vlb (Nichol & Dhariwal 2021, eq. 16).
HYBRID = 0.001


class Objective(Protocol):
    """A step is drawn at once and its loss computed in parts: each tensor drawn has B first."""

    def draw(self, batch: Batch) -> tuple[Tensor, ...]:
        """All that the loss needs of a batch besides the network, on the batch's device."""

    def loss(self, network: nn.Module, *drawn: Tensor) -> Tensor:
        """Of what `draw` gave, or a part of it: a float32 scalar."""

    def state(self) -> dict[str, Tensor]:
        """All that it has learned in the steps so far, for a checkpoint."""

    def load(self, state: dict[str, Tensor]) -> None:
        """Puts back what `state` gave; KeyError or RuntimeError if a tensor is missing or another's."""


class Diffusion:
    """A diffusion model, by L_simple, L_vlb or both (hybrid: Nichol & Dhariwal 2021, eq. 16)."""

    def __init__(self, config: Config, device: torch.device) -> None:
        diffusion, training, self._name = config.diffusion, config.training, config.objective
        schedule = schedules.make(diffusion)
        self._prediction, self._learned = diffusion.prediction, diffusion.variance == "learned_range"
        self._marginals = Marginals.of(schedule, device)
        self._alpha_bars = schedule.alphas_cumprod.float().to(device)
        self._weights = weighting.on(weighting.weights(training, self._prediction, schedule), device)
        self._bound = Bound.of(diffusion, schedule, device)
        by_loss = training.resolved_timesteps(self._name) == "loss_second_moment"
        self._timesteps: Timesteps = (LossSecondMoment if by_loss else Uniform)(schedule.timesteps)
        self._told = tells(config)
        self._found: list[tuple[Tensor, Tensor]] = []  # what the timesteps can learn of this step

    def draw(self, batch: Batch) -> tuple[Tensor, ...]:
        """Images as they are seen, timesteps int64 (B,) in 0 … T-1, what each counts, noise (B,C,H,W), and
        of what the network is told classes int64 (B,) and moves (B,NUMBERS)."""
        self._learn()
        x_0, generator = batch.as_seen(batch.images), batch.generator
        times, counts = self._timesteps.draw(len(x_0), generator)
        noise = torch.randn(x_0.shape, generator=generator, device=x_0.device)
        return x_0, times, counts, noise, *batch.told.values()

    def loss(self, network: nn.Module, *drawn: Tensor) -> Tensor:
        x_0, times, counts, noise, *rest = drawn
        told = dict(zip(self._told, rest, strict=True))
        x_t = self._marginals.mixed(x_0, noise, times)
        said, fraction = split(network(x_t, times, **told), self._learned)
        if self._name == "vlb":
            found = self._terms(said, fraction, x_0, x_t, times)
            self._found.append((times, found.detach()))
            return (counts * found).mean()
        target = self._marginals.target(self._prediction, x_0, noise, times)
        losses = weighting.weighted(F.mse_loss(said, target, reduction="none"), self._weights, times)
        if self._name == "hybrid":
            found = self._terms(said.detach(), fraction, x_0, x_t, times)
            losses = losses + HYBRID * found
        self._found.append((times, losses.detach()))
        return (counts * losses).mean()

    def _terms(
        self, said: Tensor, fraction: Tensor | None, x_0: Tensor, x_t: Tensor, times: Tensor
    ) -> Tensor:
        """T · L_t (N,), whose mean over the timesteps is L_vlb but for L_T, in bits/dim."""
        seen = x0_of(self._prediction, x_t, said, self._alpha_bars[times].view(-1, 1, 1, 1))
        return len(self._alpha_bars) * self._bound.terms(x_0, x_t, seen, fraction, times)

    def _learn(self) -> None:
        for times, losses in self._found:
            self._timesteps.learn(times, losses)
        self._found.clear()

    def state(self) -> dict[str, Tensor]:
        self._learn()
        return self._timesteps.state()

    def load(self, state: dict[str, Tensor]) -> None:
        self._timesteps.load(state)


def make(config: Config, device: torch.device) -> Objective:
    """The objective that a configuration names."""
    if config.objective == "consistency":
        return Consistency(config, device)
    return Diffusion(config, device) if config.diffuses else Denoising(config)
