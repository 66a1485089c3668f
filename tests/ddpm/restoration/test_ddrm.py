"""Restoration where all is known in closed form: Gaussian data, and the network that is right about it."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from ddpm import schedules
from ddpm.config import DiffusionConfig
from ddpm.randomness import normal
from ddpm.restoration import masks
from ddpm.restoration.compressed import CompressedSensing
from ddpm.restoration.ddrm import ddrm, posterior
from ddpm.restoration.degradation import Degradation
from ddpm.restoration.observation import Observation, noise_level, restoring_times
from ddpm.restoration.pixelwise import Greying, Masking
from ddpm.restoration.separable import Separable, averaging, blurring, gaussian
from ddpm.samplers.levels import time_grid
from ddpm.samplers.steps import Denoised, Denoiser
from ddpm.schedules import Schedule

SHAPE = (3, 4, 4)
SCHEDULE = schedules.make(DiffusionConfig())
COUNT = 4000


def degradation(name: str) -> Degradation:
    made: dict[str, Degradation] = {
        "denoise": Masking(3, masks.everything(4, 4)),
        "inpaint": Masking(3, masks.random(4, 4, 0.5)),
        "shrink": Separable(3, averaging(4, 2), averaging(4, 2)),
        "blur": Separable(3, blurring(4, gaussian(0.6)), blurring(4, gaussian(0.6))),
        "grey": Greying(4, 4),
        "compressed": CompressedSensing(SHAPE, 0.4),
    }
    return made[name]


class Prior:
    """Images whose spectral coordinates are independent: N(mean, variance) each."""

    def __init__(self, of: Degradation) -> None:
        generator = torch.Generator().manual_seed(3)
        self._of = of
        self.mean = 0.3 * torch.randn(SHAPE, generator=generator)
        self.variance = 0.05 + 0.5 * torch.rand(SHAPE, generator=generator)

    def draw(self) -> Tensor:
        """One image, (1,C,H,W)."""
        s = self.mean + self.variance.sqrt() * torch.randn(
            1, *SHAPE, generator=torch.Generator().manual_seed(4)
        )
        return self._of.from_spectral(s)

    def denoiser(self, schedule: Schedule) -> Denoiser:
        """The image in x_t that is right on average."""

        def denoise(x_t: Tensor, time: int) -> Denoised:
            alpha_bar = float(schedule.alphas_cumprod[time])
            s = self._of.to_spectral(x_t)
            gain = alpha_bar**0.5 * self.variance / (alpha_bar * self.variance + 1 - alpha_bar)
            x_0 = self.mean + gain * (s - alpha_bar**0.5 * self.mean)
            return Denoised(self._of.from_spectral(x_0))

        return denoise

    def posterior(self, seen: Observation) -> tuple[Tensor, Tensor]:
        """Mean and variance of every spectral coordinate, given the measurement."""
        trust = self.variance / (self.variance + seen.spread**2)
        return self.mean + trust * (seen.target - self.mean), (1 - trust) * self.variance


def noise(number: int) -> Tensor:
    return normal(7, torch.arange(COUNT), number, SHAPE)


def observed(of: Degradation, prior: Prior, sigma: float) -> Observation:
    y = of.degrade(prior.draw())
    y = y + sigma * torch.randn(y.shape, generator=torch.Generator().manual_seed(5))
    return Observation.of(of, y.expand(COUNT, *y.shape[1:]), sigma)


NAMES = ["denoise", "inpaint", "shrink", "blur", "grey", "compressed"]


@pytest.mark.parametrize("sigma", [0.0, 0.2])
@pytest.mark.parametrize("name", NAMES)
def test_posterior_samples_have_the_posterior_s_mean_and_variance(name: str, sigma: float) -> None:
    of = degradation(name)
    prior = Prior(of)
    seen = observed(of, prior, sigma)
    times = restoring_times(SCHEDULE, seen, 300)
    *_, last = posterior(prior.denoiser(SCHEDULE), SCHEDULE, times, noise, of, seen)
    s = of.to_spectral(last.x_t)
    mean, variance = prior.posterior(seen)
    standard_error = 4 / math.sqrt(COUNT)
    torch.testing.assert_close(s.mean(0), mean[0], atol=standard_error + 0.01, rtol=0)
    torch.testing.assert_close(s.var(0), variance.expand(s.shape)[0], atol=0.02, rtol=6 / math.sqrt(COUNT))


def test_posterior_samples_grow_exact_with_the_steps() -> None:
    """The error of the variance falls at least as 1/steps."""
    of = degradation("denoise")
    prior = Prior(of)
    seen = observed(of, prior, 0.3)
    errors = []
    for steps in (4, 16, 64):
        times = restoring_times(SCHEDULE, seen, steps)
        *_, last = posterior(prior.denoiser(SCHEDULE), SCHEDULE, times, noise, of, seen)
        variance = prior.posterior(seen)[1].expand(COUNT, *SHAPE)[0]
        errors.append(float((last.x_t.var(0) - variance).mean().abs()))
    assert errors[0] > 3 * errors[1] > 6 * errors[2]


@pytest.mark.parametrize("name", NAMES)
def test_ddrm_restores_what_is_seen_exactly_and_draws_the_rest_from_the_prior(name: str) -> None:
    """Without noise, eta 0: what is seen and what is not are independent here, so this is the posterior."""
    of = degradation(name)
    prior = Prior(of)
    seen = observed(of, prior, 0.0)
    *_, last = ddrm(
        prior.denoiser(SCHEDULE),
        SCHEDULE,
        time_grid(SCHEDULE, 300, "uniform"),
        noise,
        of,
        seen,
        eta=0.0,
        eta_unseen=0.0,
    )
    s = of.to_spectral(last.x_t)
    known = torch.broadcast_to(seen.spread == 0, s.shape)
    torch.testing.assert_close(s[known], seen.target.expand(s.shape)[known], atol=1e-4, rtol=1e-4)
    mean, variance = prior.posterior(seen)
    torch.testing.assert_close(s.mean(0), mean[0], atol=4 / math.sqrt(COUNT) + 0.01, rtol=0)
    torch.testing.assert_close(s.var(0), variance.expand(s.shape)[0], atol=0.02, rtol=6 / math.sqrt(COUNT))


@pytest.mark.parametrize(("eta", "eta_b"), [(0.85, 1.0), (1.0, 1.0), (0.5, 0.7), (0.0, 1.0)])
@pytest.mark.parametrize("sigma", [0.0, 0.1, 0.5])
def test_ddrm_has_the_law_of_the_paper_s_recursion(eta: float, eta_b: float, sigma: float) -> None:
    """Equations 4 and 5, coordinate by coordinate, as a recursion of mean and variance."""
    of = degradation("shrink")
    prior = Prior(of)
    seen = observed(of, prior, sigma)
    times = time_grid(SCHEDULE, 20, "uniform")
    *_, last = ddrm(
        prior.denoiser(SCHEDULE),
        SCHEDULE,
        times,
        noise,
        of,
        seen,
        eta=eta,
        eta_b=eta_b,
        eta_unseen=eta,
    )
    s = of.to_spectral(last.x_t)
    mean, variance = _law(prior, seen, times, eta, eta_b)
    close = {"atol": 0.01, "rtol": 6 / math.sqrt(COUNT)}
    torch.testing.assert_close(s.var(0).double(), variance, **close)
    assert torch.all((s.mean(0) - mean).abs() < 5 * (variance / COUNT).sqrt() + 1e-4)


def _law(
    prior: Prior, seen: Observation, times: list[int], eta: float, eta_b: float
) -> tuple[Tensor, Tensor]:
    """Mean and variance of each coordinate after all steps, one coordinate at a time."""
    spread = torch.broadcast_to(seen.spread, SHAPE).double()
    mean, variance = torch.zeros(SHAPE).double(), torch.zeros(SHAPE).double()
    for index in torch.cartesian_prod(*(torch.arange(n) for n in SHAPE)).tolist():
        at = tuple(index)
        y, width = float(seen.target[0][at]), float(spread[at])
        mu, c = float(prior.mean[at]), float(prior.variance[at])
        levels = [noise_level(SCHEDULE, time) for time in times] + [0.0]
        m, v = (y, levels[0] ** 2 - width**2) if width < levels[0] else (0.0, levels[0] ** 2)
        for level, below in pairwise(levels):
            gain = c / (c + level**2)
            m_0, g = (1 - gain) * mu + gain * m, gain  # prediction: m_0 + g (x - m)
            if math.isinf(width):
                share = math.sqrt(1 - eta**2) * below / level
                a = g + share * (1 - g)
                m, v = m_0 + share * (m - m_0), a**2 * v + (eta * below) ** 2
            elif width > below:
                share = math.sqrt(1 - eta**2) * below / width
                m, v = m_0 + share * (y - m_0), ((1 - share) * g) ** 2 * v + (eta * below) ** 2
            else:
                m = (1 - eta_b) * m_0 + eta_b * y
                v = ((1 - eta_b) * g) ** 2 * v + below**2 - (eta_b * width) ** 2
        mean[at], variance[at] = m, v
    return mean, variance


def test_no_evaluation_is_spent_above_the_noise() -> None:
    of = degradation("denoise")
    quiet = Observation.of(of, torch.zeros(1, *SHAPE), 0.1)
    times = restoring_times(SCHEDULE, quiet, 20)
    assert len(times) == 20
    assert noise_level(SCHEDULE, times[0]) >= 0.1 > noise_level(SCHEDULE, times[0] - 1)
    assert restoring_times(SCHEDULE, Observation.of(of, torch.zeros(1, *SHAPE), 0.0), 20) == [0]
    masked = Observation.of(degradation("inpaint"), torch.zeros(1, *SHAPE), 0.1)
    assert restoring_times(SCHEDULE, masked, 20) == time_grid(SCHEDULE, 20, "uniform")
    strong = Observation.of(of, torch.zeros(1, *SHAPE), 1e6)
    assert restoring_times(SCHEDULE, strong, 20) == time_grid(SCHEDULE, 20, "uniform")


def test_the_state_is_told_in_the_scale_of_the_forward_process() -> None:
    """x_t of every step has the noise of its timestep; the last is the image."""
    of = degradation("inpaint")
    prior = Prior(of)
    seen = observed(of, prior, 0.0)
    times = time_grid(SCHEDULE, 10, "uniform")
    steps = list(ddrm(prior.denoiser(SCHEDULE), SCHEDULE, times, noise, of, seen))
    assert [(step.index, step.total, step.timestep) for step in steps] == [
        (i + 1, 10, time) for i, time in enumerate(times)
    ]
    shown = torch.broadcast_to(of.singulars > 0, SHAPE)
    for step, following in zip(steps, times[1:], strict=False):
        variance = step.x_t.var(0)[shown].mean()
        assert float(variance) == pytest.approx(1 - float(SCHEDULE.alphas_cumprod[following]), rel=0.05)
