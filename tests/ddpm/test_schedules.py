"""Schedules against closed forms and the papers' constants."""

import math

import pytest
import torch

from ddpm import schedules
from ddpm.config import DiffusionConfig


def test_the_default_is_ho_et_als_schedule() -> None:
    schedule = schedules.make(DiffusionConfig())
    assert schedule.betas.dtype == schedule.alphas_cumprod.dtype == torch.float64
    assert schedule.timesteps == 1000
    assert schedule.betas[0].item() == pytest.approx(1e-4)
    assert schedule.betas[-1].item() == pytest.approx(0.02)
    # Section 4: signal at T is nearly gone; KL(q(x_T|x_0) || N(0, I)) is about 1e-5 bits per dimension.
    assert schedule.alphas_cumprod[-1].item() == pytest.approx(4.0358e-5, rel=1e-4)


@pytest.mark.parametrize("timesteps", [2, 10, 1000])
def test_linear_alpha_bar_is_the_closed_product(timesteps: int) -> None:
    schedule = schedules.from_betas(schedules.linear(timesteps, 1e-3, 0.1))
    product = 1.0
    for t in range(timesteps):
        product *= 1 - (1e-3 + (0.1 - 1e-3) * t / (timesteps - 1))
        assert schedule.alphas_cumprod[t].item() == pytest.approx(product, rel=1e-12)


def test_scaled_linear_is_linear_in_the_square_root() -> None:
    roots = schedules.scaled_linear(11, 0.01, 0.04).sqrt()
    assert torch.allclose(roots, torch.linspace(0.1, 0.2, 11, dtype=torch.float64), atol=1e-15)


@pytest.mark.parametrize("timesteps", [50, 1000, 4000])
def test_cosine_alpha_bar_is_eq_17_until_beta_is_capped(timesteps: int) -> None:
    schedule = schedules.from_betas(schedules.cosine(timesteps))

    def f(t: float) -> float:
        return math.cos((t / timesteps + 0.008) / 1.008 * math.pi / 2) ** 2

    for t in (0, timesteps // 2, timesteps - 2):
        assert schedule.alphas_cumprod[t].item() == pytest.approx(f(t + 1) / f(0), rel=1e-9)
    assert schedule.betas.max().item() == schedules.COSINE_MAX_BETA


@pytest.mark.parametrize("shape", ["linear", "scaled_linear", "cosine", "sigmoid"])
def test_every_schedule_loses_signal_and_has_its_posterior(shape: str) -> None:
    schedule = schedules.make(DiffusionConfig(schedule=shape, timesteps=100))  # type: ignore[arg-type]
    assert (schedule.alphas_cumprod.diff() < 0).all()
    assert ((schedule.betas > 0) & (schedule.betas < 1)).all()
    posterior = schedule.posterior_variance()
    assert posterior[0] == 0  # nothing is left unsure at the last step
    assert (posterior <= schedule.betas).all()


def test_sigmoid_alpha_bar_is_jabri_et_als() -> None:
    schedule = schedules.from_betas(schedules.sigmoid(1000))

    def f(t: float) -> float:
        low, high = 1 / (1 + math.exp(3)), 1 / (1 + math.exp(-3))
        return (1 / (1 + math.exp(-3 + 6 * t / 1000)) - low) / (high - low)

    for t in (0, 500, 998):
        assert schedule.alphas_cumprod[t].item() == pytest.approx(f(t + 1), rel=1e-9)


@pytest.mark.parametrize("shape", ["linear", "scaled_linear", "cosine", "sigmoid"])
def test_zero_terminal_snr_shifts_and_stretches_the_signal(shape: str) -> None:
    """Lin et al. 2024, algorithm 1: linear in sqrt(alpha-bar), the start kept, nothing left at the end."""
    plain = schedules.make(DiffusionConfig(schedule=shape)).alphas_cumprod.sqrt()  # type: ignore[arg-type]
    config = DiffusionConfig(schedule=shape, zero_terminal_snr=True, prediction="v")  # type: ignore[arg-type]
    signal = schedules.make(config).alphas_cumprod.sqrt()
    assert signal[-1] == 0
    assert signal[0].item() == pytest.approx(plain[0].item(), rel=1e-12)
    share = (plain - plain[-1]) / (plain[0] - plain[-1])
    assert torch.allclose(signal, share * plain[0], atol=1e-9)


def test_the_first_part_of_a_process_is_one() -> None:
    schedule = schedules.make(DiffusionConfig())
    part = schedule.until(300)
    assert part.timesteps == 300
    assert torch.equal(part.alphas_cumprod, schedule.alphas_cumprod[:300])
