"""The bound where the likelihood is known: for Gaussian data the exact denoiser makes all but no gap."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from ddpm import schedules
from ddpm.bound import Bound, prior
from ddpm.config import DiffusionConfig, Variance
from ddpm.diffusion import q_sample

MEAN, SPREAD = -0.1, 0.3
CPU = torch.device("cpu")
FIXED: tuple[tuple[Variance, float | None], ...] = (("fixed_large", None), ("learned_range", 1.0))


def exact(x_t: Tensor, alpha_bar: float) -> Tensor:
    gain = alpha_bar**0.5 * SPREAD**2 / (alpha_bar * SPREAD**2 + 1 - alpha_bar)
    return MEAN + gain * (x_t - alpha_bar**0.5 * MEAN)


def quantised(count: int) -> Tensor:
    """N(MEAN, SPREAD²) in 256 values from -1 to 1, float32 (1, 1, count, 100)."""
    x = MEAN + SPREAD * torch.randn(1, 1, count, 100, generator=torch.Generator().manual_seed(0))
    return ((x + 1) * 127.5).round().clamp(0, 255) / 127.5 - 1


def entropy() -> float:
    """Of the quantised law, bits: the least that any code needs."""
    edges = (torch.arange(257, dtype=torch.float64) - 128) / 127.5
    edges[0], edges[-1] = -math.inf, math.inf
    chances = Normal(torch.tensor(MEAN).double(), SPREAD).cdf(edges).diff()
    return float(-(torch.special.xlogy(chances, chances)).sum() / math.log(2))


def total(config: DiffusionConfig, fraction: float | None = None) -> float:
    """The bound of the exact denoiser, bits/dim."""
    schedule, x_0 = schedules.make(config), quantised(200)
    bound = Bound.of(config, schedule, CPU)
    generator = torch.Generator().manual_seed(1)
    found = float(prior(x_0, float(schedule.alphas_cumprod[-1])))
    between = None if fraction is None else torch.full_like(x_0, fraction)
    for time in range(schedule.timesteps):
        alpha_bar = float(schedule.alphas_cumprod[time])
        x_t = q_sample(x_0, torch.randn(x_0.shape, generator=generator), alpha_bar)
        found += float(bound.terms(x_0, x_t, exact(x_t, alpha_bar), between, torch.tensor([time])))
    return found


def test_it_is_above_the_entropy_and_near_it() -> None:
    """Data as wide as 38 grey values, for which beta is all but the right variance."""
    learned = DiffusionConfig(variance="learned_range")
    best, worst = total(learned, 1.0), total(learned, 0.0)
    assert entropy() < best < entropy() + 0.03
    assert worst > best + 0.1


def test_the_fixed_variances_decode_as_the_papers_do() -> None:
    """With beta-tilde of t = 1 at t = 0: known to cost a little, and so kept for comparisons."""
    fixed, learned = (total(DiffusionConfig(variance=v), f) for v, f in FIXED)
    assert learned < fixed < learned + 0.2


def test_the_ends_of_the_learned_range_are_the_fixed_variances() -> None:
    learned = DiffusionConfig(timesteps=50, beta_end=0.3, variance="learned_range")
    bound = Bound.of(learned, schedules.make(learned), CPU)
    schedule = schedules.make(learned)
    times = torch.arange(1, 50)
    ends = [bound.log_variance(times, torch.full((49, 1, 2, 2), f)) for f in (0.0, 1.0)]
    small, large = schedule.posterior_variance()[1:].log().float(), schedule.betas[1:].log().float()
    assert torch.allclose(ends[0][:, 0, 0, 0], small)
    assert torch.allclose(ends[1][:, 0, 0, 0], large)
    between = bound.log_variance(times, torch.rand(49, 1, 2, 2))
    assert (between >= ends[0] - 1e-5).all()
    assert (between <= ends[1] + 1e-5).all()


@pytest.mark.parametrize("time", [3, 8, 15])
def test_the_best_variance_is_that_of_the_true_step_back(time: int) -> None:
    """Var(x_{t-1} | x_t) = beta-tilde + what is unsure of the image, in closed form for Gaussian data."""
    config = DiffusionConfig(timesteps=20, beta_end=0.5, variance="learned_range")
    schedule, x_0 = schedules.make(config), quantised(400)
    bound, alpha_bar = Bound.of(config, schedule, CPU), float(schedule.alphas_cumprod[time])
    noise = torch.randn(x_0.shape, generator=torch.Generator().manual_seed(1))
    x_t = q_sample(x_0, noise, alpha_bar)
    unsure = SPREAD**2 * (1 - alpha_bar) / (alpha_bar * SPREAD**2 + 1 - alpha_bar)
    small, large = float(schedule.posterior_variance()[time]), float(schedule.betas[time])
    true = small + float(bound.of_image[time]) ** 2 * unsure
    best = math.log(true / small) / math.log(large / small)
    assert 0 < best < 1

    def term(fraction: float) -> float:
        between = torch.full_like(x_0, fraction)
        return float(bound.terms(x_0, x_t, exact(x_t, alpha_bar), between, torch.tensor([time])))

    found = min((f / 100 for f in range(101)), key=term)
    assert found == pytest.approx(best, abs=0.06)


@pytest.mark.parametrize("spread", [0.001, 0.02, 0.5])
def test_the_chances_of_all_values_of_a_pixel_sum_to_one(spread: float) -> None:
    """At t = 0, whatever the mean: also far in the tails, in float32."""
    config = DiffusionConfig(timesteps=2, beta_start=spread**2, beta_end=0.9, variance="fixed_small")
    schedule = schedules.make(config)
    bound = Bound.of(config, schedule, CPU)
    values = (torch.arange(256) / 127.5 - 1).view(256, 1, 1, 1)
    for mean in (-1.0, -0.3, 0.77, 1.0):
        found = torch.full_like(values, mean)
        bits = bound.terms(values, found, found, None, torch.zeros(256, dtype=torch.int64))
        assert bits.isfinite().all()
        shift = abs(float(bound.of_image[0] + bound.of_state[0]) - 1)
        assert shift < 1e-6  # the mean of the decoder is the image predicted
        assert float((-bits.double() * math.log(2)).exp().sum()) == pytest.approx(1, abs=1e-3)


def test_the_prior_term_is_what_is_left_of_the_image() -> None:
    x_0 = torch.ones(2, 1, 4, 4)
    assert torch.allclose(prior(x_0, 0.5), torch.tensor(0.5 * (math.log(2) - 1 + 0.5 + 0.5) / math.log(2)))
    assert float(prior(x_0, 1e-9).max()) < 1e-8
