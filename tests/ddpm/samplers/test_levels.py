"""The way from noise to image: which timesteps each spacing visits, and what x_t is made of there."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddpm import schedules
from ddpm.config import DiffusionConfig
from ddpm.samplers.levels import CLEAN, LOWEST, levels, time_grid

SPACINGS = ["uniform", "quadratic", "log_snr", "karras"]
SCHEDULE = schedules.make(DiffusionConfig())
FINE = schedules.make(DiffusionConfig(timesteps=100_000, beta_start=1e-6, beta_end=2e-4))


@given(
    st.integers(2, 1000),
    st.data(),
    st.sampled_from(SPACINGS),
    st.sampled_from(["linear", "cosine", "sigmoid"]),
    st.floats(1, 20),
)
def test_time_grids_descend_from_the_end_to_zero(
    timesteps: int, data: st.DataObject, spacing: str, shape: str, rho: float
) -> None:
    steps = data.draw(st.integers(1, timesteps))
    schedule = schedules.make(DiffusionConfig(timesteps=timesteps, schedule=shape))  # type: ignore[arg-type]
    grid = time_grid(schedule, steps, spacing, rho)  # type: ignore[arg-type]
    assert len(grid) == steps
    if spacing in ("uniform", "quadratic"):
        assert grid[0] == timesteps - 1
    assert all(a > b for a, b in itertools.pairwise(grid))
    assert steps == 1 or grid[-1] == 0


def test_quadratic_spacing_is_dense_near_the_image() -> None:
    grid = time_grid(SCHEDULE, 11, "quadratic")[::-1]
    assert grid == [0, 10, 40, 90, 160, 250, 360, 490, 639, 809, 999]


def test_log_snr_spacing_is_even_in_lambda_to_the_nearest_timestep() -> None:
    every = [level.half_log_snr for level in levels(FINE, range(100_000))[:-1]]
    grid = time_grid(FINE, 20, "log_snr")
    for i, time in enumerate(grid):
        wanted = every[-1] + i / 19 * (every[0] - every[-1])
        nearest = min(range(100_000), key=lambda t: abs(every[t] - wanted))
        assert time == nearest


@pytest.mark.parametrize("spacing", ["log_snr", "karras"])
@pytest.mark.parametrize("steps", [1, 2, 10])
def test_spacings_in_noise_begin_where_there_is_something_to_see(spacing: str, steps: int) -> None:
    """A cosine schedule goes on to a noise of 20,000 times the image."""
    cosine = schedules.make(DiffusionConfig(schedule="cosine"))
    first, after = levels(cosine, [cosine.timesteps - 1])[0], levels(cosine, range(cosine.timesteps))
    assert first.half_log_snr < 2 * LOWEST + 0.5
    begin = time_grid(cosine, steps, spacing)[0]  # type: ignore[arg-type]
    nearest = min(range(cosine.timesteps), key=lambda t: abs(after[t].half_log_snr - LOWEST))
    assert begin == nearest
    assert time_grid(SCHEDULE, steps, spacing)[0] == 999  # type: ignore[arg-type]  # Ho's ends before


@pytest.mark.parametrize("rho", [3.0, 7.0])
def test_karras_spacing_is_even_in_the_root_of_sigma(rho: float) -> None:
    """Karras et al. 2022, eq. 5, to the nearest timestep."""
    way = levels(FINE, time_grid(FINE, 12, "karras", rho))[:-1]
    high, low = way[0].ratio, way[-1].ratio
    for i, level in enumerate(way):
        wanted = (high ** (1 / rho) + i / 11 * (low ** (1 / rho) - high ** (1 / rho))) ** rho
        assert level.ratio == pytest.approx(wanted, rel=0.05)


def test_levels_are_the_schedules_and_end_clean() -> None:
    way = levels(SCHEDULE, [999, 10, 0])
    assert [level.time for level in way] == [999, 10, 0, -1]
    for level in way:
        assert level.alpha**2 + level.sigma**2 == pytest.approx(1, abs=1e-12)
    assert way[1].alpha_bar == pytest.approx(float(SCHEDULE.alphas_cumprod[10]), rel=1e-12)
    assert way[1].half_log_snr == pytest.approx(-math.log(way[1].ratio))
    assert way[-1] == CLEAN
    assert CLEAN.half_log_snr == math.inf


def test_more_steps_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match="between 1 and 10"):
        time_grid(schedules.make(DiffusionConfig(timesteps=10)), 11, "uniform")


def test_the_last_level_of_a_schedule_without_signal_is_noise_alone() -> None:
    schedule = schedules.make(DiffusionConfig(zero_terminal_snr=True, prediction="v"))
    first = levels(schedule, time_grid(schedule, 5, "uniform"))[0]
    assert (first.alpha, first.sigma) == (0.0, 1.0)
    assert torch.isfinite(schedule.alphas_cumprod).all()
