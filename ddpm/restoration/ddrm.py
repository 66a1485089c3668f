"""Denoising diffusion restoration models (Kawar et al. 2022)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from ddpm.restoration.degradation import Degradation
from ddpm.restoration.observation import Observation, noise_level
from ddpm.samplers.steps import Denoiser, Noise, SampleStep
from ddpm.schedules import Schedule

#: (state, prediction, fresh noise, its noise level, the next one) to the next state, in spectral coordinates.
Step = Callable[[Tensor, Tensor, Tensor, float, float], Tensor]


def ddrm(
    denoise: Denoiser,
    schedule: Schedule,
    times: Sequence[int],
    noise: Noise,
    degradation: Degradation,
    observation: Observation,
    *,
    eta: float = 0.85,
    eta_b: float = 1.0,
    eta_unseen: float = 1.0,
) -> Iterator[SampleStep]:
    """Restores images step by step over the descending `times`; one evaluation of `denoise` each (eq. 4, 5).

    Everything happens in spectral coordinates of x_t / sqrt(alpha-bar_t), whose noise is sigma_t. A
    coordinate that is known better than sigma_t is taken from the measurement (by the share eta_b), with
    fresh noise that brings it to sigma_t; else it is predicted, and moves with sqrt(1 - eta²) of the noise
    it has (the measurement's, or its own where nothing is seen) and eta of fresh noise. Where nothing is
    seen eta is `eta_unseen`: the paper has one for both, its released code has two; the more of the old
    noise is kept there, the less can few steps mend.

    Its samples are sharp and fit the measurement; they are no samples of the posterior where the measurement
    is noisy: too alike, and pulled to the prior as steps grow (`posterior` has neither flaw).
    """

    def step(x: Tensor, predicted: Tensor, fresh: Tensor, level: float, below: float) -> Tensor:
        hidden = observation.spread.isinf()
        reference = torch.where(hidden, x, observation.target)
        width = torch.where(hidden, level, observation.spread)
        fresh_share = torch.where(hidden, eta_unseen, eta)
        kept_share = (1 - fresh_share**2).sqrt()
        moved = predicted + below * (kept_share * (reference - predicted) / width + fresh_share * fresh)
        taken = (1 - eta_b) * predicted + eta_b * observation.target
        left = (below**2 - (eta_b * observation.spread) ** 2).clamp(min=0).sqrt()
        return torch.where(observation.spread <= below, taken + left * fresh, moved)

    return _restored(denoise, schedule, times, noise, degradation, observation, step)


def posterior(
    denoise: Denoiser,
    schedule: Schedule,
    times: Sequence[int],
    noise: Noise,
    degradation: Degradation,
    observation: Observation,
    *,
    eta: float = 1.0,
) -> Iterator[SampleStep]:
    """DDRM with the reverse process's own noise: exact, as steps grow, on Gaussian data.

    Above its spread a coordinate comes from the measurement, as in `ddrm`; where sigma_t falls below, the
    measurement is a state of the forward process at that very noise, and from it on the coordinate takes the
    steps of DDIM (Song et al. 2021, eq. 12, 16): eta 1 is ancestral, 0 deterministic from there. Exact for
    data whose spectral coordinates are independent and Gaussian; beyond that, the part that is not seen
    follows a part that is known only as well as sigma_t says.
    """

    def step(x: Tensor, predicted: Tensor, fresh: Tensor, level: float, below: float) -> Tensor:
        crossing = observation.spread < level
        reference = torch.where(crossing, observation.target, x)
        width = torch.where(crossing, observation.spread, level).clamp(min=1e-12)
        std = eta * below * (1 - (below / width).clamp(max=1) ** 2).sqrt()
        moved = predicted + (below**2 - std**2).clamp(min=0).sqrt() / width * (reference - predicted)
        left = (below**2 - observation.spread**2).clamp(min=0).sqrt()
        return torch.where(
            observation.spread <= below, observation.target + left * fresh, moved + std * fresh
        )

    return _restored(denoise, schedule, times, noise, degradation, observation, step)


def _restored(
    denoise: Denoiser,
    schedule: Schedule,
    times: Sequence[int],
    noise: Noise,
    degradation: Degradation,
    observation: Observation,
    step: Step,
) -> Iterator[SampleStep]:
    """What both have in common: from spectral noise down to the image, a step for each prediction."""
    level = noise_level(schedule, times[0])
    x = _start(observation, level, noise(0))
    for i, time in enumerate(times):
        below = noise_level(schedule, times[i + 1]) if i + 1 < len(times) else 0.0
        x_0 = _predicted(denoise, schedule, time, degradation.from_spectral(x))
        x = step(x, degradation.to_spectral(x_0), noise(i + 1), level, below)
        level = below
        yield SampleStep(i + 1, len(times), time, degradation.from_spectral(x) / _scale(below), x_0)


def _predicted(denoise: Denoiser, schedule: Schedule, time: int, x: Tensor) -> Tensor:
    """x_0, from x = x_t / sqrt(alpha-bar_t)."""
    return denoise(float(schedule.alphas_cumprod[time]) ** 0.5 * x, time).x_0


def _start(observation: Observation, level: float, noise: Tensor) -> Tensor:
    """Eq. 4: around what is known better than the first noise level, else around 0."""
    known = observation.spread < level
    left = (level**2 - observation.spread.where(known, torch.zeros_like(observation.spread)) ** 2).sqrt()
    return observation.target.where(known, torch.zeros_like(observation.target)) + left * noise


def _scale(level: float) -> float:
    """1 / sqrt(alpha-bar) of a noise level."""
    return (1 + level**2) ** 0.5
