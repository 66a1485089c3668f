"""The terms of the bound for single images, as a trained network makes them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ddpm import schedules
from ddpm.bound import Bound, prior
from ddpm.config import Config
from ddpm.diffusion import Marginals, split, x0_of
from ddpm.likelihood.strata import drawn
from ddpm.randomness import derive, normal


class Terms:
    """Computes L_t at timesteps of its own choice for each image, and L_T.

    The same of an image whatever others are computed with it. float32 throughout, TF32 never: the terms of
    the first timesteps are differences of small numbers.
    """

    def __init__(self, network: nn.Module, config: Config, edges: Tensor, *, purpose: str) -> None:
        schedule = schedules.make(config.diffusion)
        self._network, self._edges = network, edges
        device = next(network.parameters()).device
        self._prediction, self._clip = config.diffusion.prediction, config.likelihood.clip
        self._learned = config.diffusion.variance == "learned_range"
        self._marginals = Marginals.of(schedule, device)
        self._alpha_bars = schedule.alphas_cumprod.float().to(device)
        self._last = float(schedule.alphas_cumprod[-1])
        self._bound = Bound.of(config.diffusion, schedule, device)
        seed = config.likelihood.seed
        self._times_seed = derive(seed, "likelihood", purpose, "timesteps")
        self._noise_seed = derive(seed, "likelihood", purpose, "noise")

    def __len__(self) -> int:
        """Network evaluations of each image."""
        return len(self._edges) - 1

    def prior(self, x_0: Tensor) -> Tensor:
        """L_T of images float32 (N,C,H,W) in [-1,1]: (N,) bits/dim."""
        return prior(x_0, self._last)

    def times(self, numbers: Tensor) -> Tensor:
        """The timesteps of the images numbered `numbers` (N,): int64 (len(self), N)."""
        return drawn(self._times_seed, numbers, self._edges)

    @torch.no_grad()
    def term(self, x_0: Tensor, numbers: Tensor, labels: Tensor | None, place: int, times: Tensor) -> Tensor:
        """L_t of stratum `place` at each image's own of the times (N,): (N,) bits/dim."""
        noise = normal(self._noise_seed, numbers, place, tuple(x_0.shape[1:]))
        x_t = self._marginals.mixed(x_0, noise, times)
        told = () if labels is None else (labels,)
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            said, fraction = split(self._network(x_t, times, *told), self._learned)
        found = x0_of(self._prediction, x_t, said, self._alpha_bars[times].view(-1, 1, 1, 1))
        found = found.clamp(-1, 1) if self._clip else found
        fraction = None if fraction is None else fraction.clamp(0, 1)  # as it is sampled from
        return self._bound.terms(x_0, x_t, found, fraction, times)
