"""Samplers against closed forms: for data ~ N(mu, sigma^2) the exact denoiser is known."""

import pytest
import torch
from torch import Tensor

from ddpm import schedules
from ddpm.config import DiffusionConfig
from ddpm.randomness import normal
from ddpm.samplers.ddim import ddim
from ddpm.samplers.ddpm import ddpm
from ddpm.samplers.levels import levels, time_grid
from ddpm.samplers.steps import Denoised, Noise

MEAN, SPREAD = 0.3, 0.2
SCHEDULE = schedules.make(DiffusionConfig())


def exact(x: Tensor, time: int) -> Denoised:
    """E[x_0 | x_t] for data ~ N(MEAN, SPREAD^2), pixel by pixel: linear in x_t."""
    alpha_bar = float(SCHEDULE.alphas_cumprod[time])
    gain = alpha_bar**0.5 * SPREAD**2 / (alpha_bar * SPREAD**2 + 1 - alpha_bar)
    return Denoised(MEAN + gain * (x - alpha_bar**0.5 * MEAN))


def noise_of(count: int) -> Noise:
    return lambda draw: normal(1, torch.arange(count), draw, (1, 40, 40)).double()


def moments(steps: object) -> tuple[float, float]:
    *_, last = steps  # type: ignore[misc]
    return last.x_t.mean().item(), last.x_t.std().item()


def test_ancestral_sampling_reproduces_mean_and_variance() -> None:
    times = time_grid(SCHEDULE, 1000, "uniform")
    for variance in ("fixed_large", "fixed_small"):
        mean, spread = moments(ddpm(exact, levels(SCHEDULE, times), noise_of(10), variance=variance))  # type: ignore[arg-type]
        assert mean == pytest.approx(MEAN, abs=0.01)
        assert spread == pytest.approx(SPREAD, abs=0.01)


def ddim_moments(times: list[int], eta: float) -> tuple[float, float]:
    """Mean and spread after DDIM on N(MEAN, SPREAD^2): a step is linear in x and adds known noise."""
    mean, variance = 0.0, 1.0
    for time, after in zip(times, [*times[1:], None], strict=True):
        a = float(SCHEDULE.alphas_cumprod[time])
        b = 1.0 if after is None else float(SCHEDULE.alphas_cumprod[after])
        sigma2 = eta**2 * (1 - b) / (1 - a) * (1 - a / b)
        gain = a**0.5 * SPREAD**2 / (a * SPREAD**2 + 1 - a)
        keep = max(0.0, 1 - b - sigma2) ** 0.5 / (1 - a) ** 0.5  # of x_t - sqrt(a) x_0
        slope = gain * (b**0.5 - keep * a**0.5) + keep
        mean = slope * (mean - a**0.5 * MEAN) + b**0.5 * MEAN
        variance = slope**2 * variance + sigma2
    return mean, variance**0.5


@pytest.mark.parametrize("spacing", ["uniform", "quadratic"])
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("steps", [5, 50, 200])
def test_ddim_reproduces_mean_and_variance(spacing: str, eta: float, steps: int) -> None:
    times = time_grid(SCHEDULE, steps, spacing)  # type: ignore[arg-type]
    expected = ddim_moments(times, eta)
    assert moments(ddim(exact, levels(SCHEDULE, times), noise_of(40), eta=eta)) == pytest.approx(
        expected, abs=0.003
    )
    if steps == 200:  # and with many steps the data's own
        assert expected == pytest.approx((MEAN, SPREAD), abs=0.03)


@pytest.mark.parametrize("spacing", ["uniform", "quadratic"])
def test_ddim_stays_real_on_any_grid(spacing: str) -> None:
    """Rounding may take the variance that is left at eta = 1 below zero."""
    for timesteps, steps, end in ((4000, 3, 0.02), (1000, 3, 0.1)):
        schedule = schedules.make(DiffusionConfig(timesteps=timesteps, beta_end=end))
        times = time_grid(schedule, steps, spacing)  # type: ignore[arg-type]
        *_, last = ddim(
            lambda x, _: Denoised(0 * x), levels(schedule, times), lambda _: torch.zeros(1, 1, 2, 2), eta=1.0
        )
        assert last.x_t.isfinite().all()


def test_deterministic_ddim_is_the_exact_map_of_its_start() -> None:
    """In the limit of many steps x_0 = mean + spread * (x_T's quantile): the probability flow is monotone."""
    *_, last = ddim(exact, levels(SCHEDULE, time_grid(SCHEDULE, 1000, "uniform")), noise_of(1))
    start, end = noise_of(1)(0).flatten(), last.x_t.flatten()
    assert torch.allclose(end, MEAN + SPREAD * start, atol=0.02)


def test_ddim_at_eta_1_is_strided_ancestral_sampling_with_small_variance() -> None:
    """Song et al. 2021, section 4.1: the same process, step by step."""
    times = time_grid(SCHEDULE, 20, "uniform")
    one = ddim(exact, levels(SCHEDULE, times), noise_of(2), eta=1.0)
    other = ddpm(exact, levels(SCHEDULE, times), noise_of(2), variance="fixed_small")
    for a, b in zip(one, other, strict=True):
        assert torch.allclose(a.x_t, b.x_t, atol=1e-9)
        assert torch.allclose(a.x_0, b.x_0, atol=1e-9)


@pytest.mark.parametrize("sampler", [ddim, ddpm])
def test_steps_tell_where_they_are_and_end_at_the_prediction(sampler: object) -> None:
    seen: list[int] = []

    def denoise(x: Tensor, time: int) -> Denoised:
        seen.append(time)
        return exact(x, time)

    steps = list(sampler(denoise, levels(SCHEDULE, [999, 400, 0]), noise_of(1)))  # type: ignore[operator]
    assert seen == [999, 400, 0] == [s.timestep for s in steps]
    assert [s.index for s in steps] == [1, 2, 3]
    assert {s.total for s in steps} == {3}
    assert torch.allclose(steps[-1].x_t, steps[-1].x_0)


def test_samplers_work_lazily() -> None:
    calls = 0

    def denoise(x: Tensor, time: int) -> Denoised:
        nonlocal calls
        calls += 1
        return Denoised(x)

    steps = ddim(denoise, levels(SCHEDULE, time_grid(SCHEDULE, 50, "uniform")), noise_of(1))
    next(steps)
    assert calls == 1
