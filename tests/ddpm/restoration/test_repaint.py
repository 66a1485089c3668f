"""RePaint on two pixels whose joint law is known: what is filled goes with what is seen, the more the
oftener it is resampled."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ddpm import schedules
from ddpm.config import DiffusionConfig
from ddpm.randomness import normal
from ddpm.restoration.repaint import repaint
from ddpm.samplers.levels import time_grid
from ddpm.samplers.steps import Denoised

SCHEDULE = schedules.make(DiffusionConfig())
SHAPE, COUNT = (1, 1, 2), 6000
COVARIANCE = torch.tensor([[0.4, 0.3], [0.3, 0.4]])
SEEN = torch.tensor([True, False])
KNOWN = torch.tensor([0.8, 0.0])


def denoise(x_t: Tensor, time: int) -> Denoised:
    """The image in x_t that is right on average, the pixels being N(0, COVARIANCE)."""
    alpha_bar = float(SCHEDULE.alphas_cumprod[time])
    total = alpha_bar * COVARIANCE + (1 - alpha_bar) * torch.eye(2)
    return Denoised(x_t @ (alpha_bar**0.5 * COVARIANCE @ torch.linalg.inv(total)).T)


def noise(number: int) -> Tensor:
    return normal(1, torch.arange(COUNT), number, SHAPE)


def filled(resamplings: int, steps: int = 50) -> Tensor:
    times = time_grid(SCHEDULE, steps, "uniform")
    *_, last = repaint(denoise, SCHEDULE, times, noise, SEEN, KNOWN, resamplings=resamplings)
    return last.x_t


def test_what_is_seen_stays_as_it_is() -> None:
    x = filled(1)
    assert torch.equal(x[..., 0], KNOWN[0].expand(COUNT, 1, 1))


def test_resampling_brings_what_is_filled_to_its_conditional_mean() -> None:
    mean = float(COVARIANCE[1, 0] / COVARIANCE[0, 0] * KNOWN[0])
    once, few, often = (abs(float(filled(resamplings)[..., 1].mean()) - mean) for resamplings in (1, 4, 16))
    assert once > 2 * few > 4 * often
    assert often < 0.05


def test_with_more_steps_what_is_filled_varies_as_it_should() -> None:
    variance = float(COVARIANCE[1, 1] - COVARIANCE[1, 0] ** 2 / COVARIANCE[0, 0])
    coarse, fine = (float(filled(4, steps)[..., 1].var()) for steps in (50, 200))
    assert coarse < fine
    assert fine == pytest.approx(variance, rel=0.1)


def test_evaluations_are_counted() -> None:
    steps = list(repaint(denoise, SCHEDULE, [999, 500, 0], noise, SEEN, KNOWN, resamplings=4))
    assert [step.index for step in steps] == list(range(1, 10))
    assert {step.total for step in steps} == {9}
    assert [step.timestep for step in steps] == [999] * 4 + [500] * 4 + [0]
    for step in steps:
        assert torch.equal(step.x_0[..., 0], KNOWN[0].expand(COUNT, 1, 1))
