"""Fresh noise in the steps: of Gaussian images everything is linear, so that the variance drawn is known
exactly, without anything drawn at random."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from ddpm.config_sampling import WITH_NOISE
from ddpm.samplers.levels import CLEAN, Level
from ddpm.samplers.steps import Denoised
from ddpm.sampling import SOLVERS

MEAN, SPREAD = 0.3, 0.5


def marginal(level: Level) -> float:
    """Variance of x_t."""
    return level.alpha**2 * SPREAD**2 + level.sigma**2


def way(steps: int, last: float = 0.05) -> list[Level]:
    ratios = np.geomspace(20.0, last, steps + 1).tolist()
    return [Level(i, 1 / math.hypot(1, r), r / math.hypot(1, r)) for i, r in enumerate(ratios)]


def drawn(name: str, levels: Sequence[Level], eta: float) -> tuple[float, float]:
    """(mean, variance) of what is drawn of x_T that has the true ones: a row has the noise of one draw."""
    draws = len(levels)
    scale = math.sqrt(marginal(levels[0]))

    def noise(number: int) -> Tensor:
        unit = torch.zeros(draws + 1, 1, 1, 1, dtype=torch.float64)
        unit[number + 1] = scale if number == 0 else 1.0
        return unit + levels[0].alpha * MEAN if number == 0 else unit

    def denoise(x: Tensor, time: int) -> Denoised:
        now = levels[time]
        slope = SPREAD**2 * now.alpha / marginal(now)
        return Denoised(MEAN + slope * (x - now.alpha * MEAN))

    *_, last = SOLVERS[name](denoise, levels, noise, eta=eta)
    found = last.x_t.flatten()
    return float(found[0]), float(((found[1:] - found[0]) ** 2).sum())


def error(name: str, steps: int, eta: float) -> float:
    levels = way(steps)
    mean, variance = drawn(name, levels, eta)
    assert mean == pytest.approx(levels[-1].alpha * MEAN, abs=0.02)
    return abs(variance - marginal(levels[-1]))


@pytest.mark.parametrize("eta", [0.4, 1.0])
@pytest.mark.parametrize("name", WITH_NOISE)
def test_the_variance_comes_near_the_true_one_at_the_solvers_order(name: str, eta: float) -> None:
    """DDIM's first order; the second of the others, of 3M too, as noise leaves no more of its past to use."""
    order = math.log2(error(name, 160, eta) / error(name, 320, eta))
    assert order == pytest.approx(1 if name == "ddim" else 2, abs=0.15)
    assert error(name, 320, eta) < (5e-3 if name == "ddim" else 1e-4)


def test_the_image_at_the_end_is_the_one_predicted() -> None:
    levels = [*way(160), CLEAN]
    for name in WITH_NOISE:
        mean, variance = drawn(name, levels, 1.0)
        assert mean == pytest.approx(MEAN, abs=0.02)
        assert variance == pytest.approx(SPREAD**2, rel=0.1)


@pytest.mark.parametrize("name", WITH_NOISE)
def test_the_first_step_is_ddims(name: str) -> None:
    levels = way(1)
    for eta in (0.0, 0.4, 1.0):
        assert drawn(name, levels, eta) == pytest.approx(drawn("ddim", levels, eta))
