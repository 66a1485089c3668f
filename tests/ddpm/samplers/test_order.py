"""Solvers against the exact probability flow of a Gaussian mixture, whose score is known in closed form."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch import Tensor

from ddpm.samplers.levels import CLEAN, Level
from ddpm.samplers.steps import Denoised, Noise
from ddpm.sampling import SOLVERS

MEANS = torch.tensor([-0.7, 0.2, 0.9], dtype=torch.float64)
SPREADS = torch.tensor([0.25, 0.4, 0.3], dtype=torch.float64)
WEIGHTS = torch.tensor([0.3, 0.5, 0.2], dtype=torch.float64)
STARTS = torch.linspace(-1.8, 1.8, 9, dtype=torch.float64).view(-1, 1, 1, 1)


def image(ratio: float, x: Tensor) -> Tensor:
    """E[x_0 | x_0 + ratio · noise = x] of the mixture, pixel by pixel."""
    variances = SPREADS**2 + ratio**2
    away = x[..., None] - MEANS
    share = torch.softmax(WEIGHTS.log() - variances.log() / 2 - away**2 / (2 * variances), dim=-1)
    return (share * (MEANS + SPREADS**2 / variances * away)).sum(-1)


def level(time: int, ratio: float) -> Level:
    alpha = 1 / math.sqrt(1 + ratio**2)
    return Level(time, alpha, ratio * alpha)


def way(ratios: Sequence[float]) -> list[Level]:
    return [level(i, ratio) for i, ratio in enumerate(ratios)]


def denoiser(levels: Sequence[Level]) -> Callable[[Tensor, int], Denoised]:
    return lambda x, time: Denoised(image(levels[time].ratio, x / levels[time].alpha))


def start(levels: Sequence[Level]) -> Noise:
    """x_T, the same of x / alpha on every grid that begins at one level."""
    return lambda draw: STARTS * levels[0].sigma


@functools.cache
def exact(first: float, last: float) -> Tensor:
    """x / alpha at the ratio `last` of the flow from STARTS at `first`: dx/dr = (x - image) / r."""

    def slope(ratio: float, x: np.ndarray) -> np.ndarray:
        place = torch.from_numpy(x).view_as(STARTS)
        return ((place - image(ratio, place)) / ratio).flatten().numpy()

    begin = (STARTS * first).flatten().numpy()
    found = solve_ivp(slope, (first, last), begin, method="DOP853", rtol=1e-12, atol=1e-13)
    return torch.from_numpy(found.y[:, -1]).view_as(STARTS)


def error(name: str, ratios: Sequence[float]) -> float:
    levels = way(ratios)
    *_, last = SOLVERS[name](denoiser(levels), levels, start(levels))
    return float((last.x_t / levels[-1].alpha - exact(ratios[0], ratios[-1])).abs().max())


def order(name: str, grid: Callable[[int], Sequence[float]], few: int, many: int) -> float:
    """The slope of log error over log step size."""
    return math.log(error(name, grid(few)) / error(name, grid(many))) / math.log(many / few)


def log_even(steps: int) -> list[float]:
    """Even in lambda, but for the first step, which is cut into ever smaller ones: the orders that
    papers claim presume accurate first values, and a multistep solver begins with a step of order 1."""
    ratios = np.geomspace(20.0, 0.1, steps + 1).tolist()
    fan = [ratios[0] * (ratios[1] / ratios[0]) ** (2.0**-k) for k in range(14, 0, -1)]
    return [ratios[0], *fan, *ratios[1:]]


def sigma_even(steps: int) -> list[float]:
    """Even in sigma / alpha."""
    return np.linspace(12.0, 0.4, steps + 1).tolist()


@pytest.mark.parametrize(
    ("name", "claimed"),
    [("ddim", 1), ("euler", 1), ("heun", 2), ("dpmpp-2m", 2), ("dpmpp-3m", 3), ("unipc", 4)],
)
def test_the_error_falls_at_the_order_that_the_paper_claims(name: str, claimed: int) -> None:
    assert order(name, log_even, 80, 160) == pytest.approx(claimed, abs=0.35)


def test_ipndm_is_of_fourth_order_on_even_steps() -> None:
    """Adams-Bashforth's own: its coefficients are of equal steps, and its first values lie where the flow is
    all but straight."""
    assert order("ipndm", sigma_even, 200, 400) == pytest.approx(4, abs=0.5)


@pytest.mark.parametrize("name", list(SOLVERS))
def test_every_solver_finds_the_exact_solution(name: str) -> None:
    ratios = np.geomspace(20.0, 0.01, 2001).tolist()
    assert error(name, ratios) < (5e-3 if name in ("ddim", "euler") else 1e-4)


@pytest.mark.parametrize("name", list(SOLVERS))
def test_every_solver_ends_at_a_clean_image_and_tells_its_steps(name: str) -> None:
    levels = [*way(np.geomspace(20.0, 0.01, 8).tolist()), CLEAN]
    asked: list[int] = []

    def denoise(x: Tensor, time: int) -> Denoised:
        asked.append(time)
        return denoiser(levels)(x, time)

    steps = list(SOLVERS[name](denoise, levels, start(levels)))
    assert [step.index for step in steps] == list(range(1, 9))
    assert {step.total for step in steps} == {8}
    assert [step.timestep for step in steps] == list(range(8))
    assert len(asked) == (15 if name == "heun" else 8)
    assert steps[-1].x_t.isfinite().all()
    if name != "ipndm":  # whose last step is foretold from the past as well
        assert torch.allclose(steps[-1].x_t, steps[-1].x_0, atol=1e-12)


def test_euler_in_sigma_space_is_ddim_without_noise() -> None:
    levels = [*way(np.geomspace(20.0, 0.05, 10).tolist()), CLEAN]
    one, other = (SOLVERS[name](denoiser(levels), levels, start(levels)) for name in ("ddim", "euler"))
    for a, b in zip(one, other, strict=True):
        assert torch.allclose(a.x_t, b.x_t, atol=1e-12)


def test_one_step_of_any_solver_is_the_first_prediction() -> None:
    levels = [level(0, 20.0), CLEAN]
    wanted = denoiser(levels)(start(levels)(0), 0).x_0
    for solver in SOLVERS.values():
        (step,) = solver(denoiser(levels), levels, start(levels))
        assert torch.allclose(step.x_t, wanted, atol=1e-12)


def test_the_steps_of_a_grid_are_as_told() -> None:
    assert all(a > b for a, b in pairwise(log_even(80)))
