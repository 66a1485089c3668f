"""Consistency tuning: a trained diffusion model learns to see the end of its own path in one look.

Geng et al. 2024, "Consistency models made easy" (ECT): f(x_t, t) is pulled towards f(x_r, r), r < t, of the
same image and noise, without gradient; r starts where the target is the image itself (a diffusion
model's) and comes nearer to t in STAGES stages over the training. In sigma-space x / alpha with sigma =
sqrt(1 - alpha-bar) / sqrt(alpha-bar), at the timesteps that the network knows.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ddpm import schedules
from ddpm.config import Config
from ddpm.diffusion import Marginals, split, x0_of
from ddpm.feed import Batch, tells
from ddpm.samplers.consistency import HIGHEST
from ddpm.schedules import Schedule

#: How often r comes nearer to t: 1 - r / t is halved each time (there, section 3.2, q = 2).
STAGES = 8
#: Of n(t) = 1 + k sigmoid(-b t), by which small t begin nearer to the image (there, k and b for CIFAR-10).
_EXTRA, _FALL = 8.0, 1.0
#: Law of log sigma of the times learned from (there, and Song & Dhariwal 2024, table 1).
_MEAN, _SPREAD = -1.1, 2.0
#: c of the pseudo-Huber distance for an image of d values: this times sqrt(d) (Song & Dhariwal 2024, 3.3).
_HUBER = 0.00054


def stage(done: float) -> int:
    """1 … STAGES, by the share of the training that is done."""
    return min(STAGES, 1 + int(done * STAGES))


def earlier(sigmas: Tensor, stage: int) -> Tensor:
    """r for every timestep t: int64 (T,), below t; -1 is the image itself, sigma 0.

    sigmas: ascending, float64 (T,). The timestep at or below t (1 - n(t) / 2^stage).
    """
    wanted = sigmas * (1 - (1 + _EXTRA * torch.sigmoid(-_FALL * sigmas)) / 2.0**stage)
    found = torch.searchsorted(sigmas, wanted, right=True) - 1
    return torch.minimum(found, torch.arange(len(sigmas)) - 1)


def chances(sigmas: Tensor) -> Tensor:
    """How often each timestep is drawn, float64 (T,): log sigma is normal, cut above HIGHEST."""
    edges = (sigmas[1:] * sigmas[:-1]).sqrt().log()
    law = torch.distributions.Normal(torch.tensor(_MEAN, dtype=torch.float64), _SPREAD)
    bounds = torch.cat(
        [torch.zeros(1, dtype=torch.float64), law.cdf(edges), torch.ones(1, dtype=torch.float64)]
    )
    found = bounds.diff() * (sigmas <= max(HIGHEST, float(sigmas[0])))
    return found / found.sum()


def sigmas(schedule: Schedule) -> Tensor:
    """sqrt(1 - alpha-bar) / sqrt(alpha-bar), float64 (T,); 1e30 where it is infinite, as at some ends."""
    return ((1 - schedule.alphas_cumprod) / schedule.alphas_cumprod).sqrt().clamp(max=1e30)


class Consistency:
    """The objective of consistency tuning."""

    def __init__(self, config: Config, device: torch.device) -> None:
        schedule = schedules.make(config.diffusion)
        self._config, finite = config, sigmas(schedule)
        self._alpha_bars = schedule.alphas_cumprod.float().to(device)
        self._marginals = Marginals.of(schedule, device)
        self._chances = chances(finite).float().to(device)
        self._tables = [earlier(finite, number).to(device) for number in range(1, STAGES + 1)]
        self._levels = torch.cat([torch.zeros(1, dtype=torch.float64), finite]).float().to(device)
        self._huber = _HUBER * math.sqrt(math.prod(config.data.shape))
        self._told = tells(config)

    def draw(self, batch: Batch) -> tuple[Tensor, ...]:
        """Images as they are seen, t and r int64 (B,), noise (B,C,H,W), and what the network is told."""
        x_0, generator = batch.as_seen(batch.images), batch.generator
        training = self._config.training
        done = batch.images_seen / (training.steps * training.batch_size)
        times = torch.multinomial(self._chances, len(x_0), replacement=True, generator=generator)
        noise = torch.randn(x_0.shape, generator=generator, device=x_0.device)
        return x_0, times, self._tables[stage(done) - 1][times], noise, *batch.told.values()

    def loss(self, network: nn.Module, *drawn: Tensor) -> Tensor:
        """Mean of pseudo-Huber distances, each by 1 / (t - r) as in Song & Dhariwal 2024, eq. 7."""
        x_0, times, before, noise, *rest = drawn
        told = dict(zip(self._told, rest, strict=True))
        devices = [x_0.device] if x_0.device.type == "cuda" else []
        with torch.random.fork_rng(devices), torch.no_grad():  # both see the same dropout
            target = self._seen(network, x_0, noise, before.clamp(min=0), told)
            target = torch.where((before < 0).view(-1, 1, 1, 1), x_0, target)
        found = self._seen(network, x_0, noise, times, told)
        distance = (found - target).square().flatten(1).sum(1)
        huber = (distance + self._huber**2).sqrt() - self._huber
        return (huber / (self._levels[times + 1] - self._levels[before + 1])).mean()

    def _seen(
        self, network: nn.Module, x_0: Tensor, noise: Tensor, times: Tensor, told: dict[str, Tensor]
    ) -> Tensor:
        """f of the states at `times`, (B,C,H,W)."""
        x_t = self._marginals.mixed(x_0, noise, times)
        said, _ = split(network(x_t, times, **told), self._config.diffusion.variance == "learned_range")
        return x0_of(self._config.diffusion.prediction, x_t, said, self._alpha_bars[times].view(-1, 1, 1, 1))

    def state(self) -> dict[str, Tensor]:
        """Nothing is learned beside the network."""
        return {}

    def load(self, state: dict[str, Tensor]) -> None:
        """Nothing is to be put back."""
