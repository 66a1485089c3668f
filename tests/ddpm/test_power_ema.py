"""Power-function averages against the integrals that define them."""

from __future__ import annotations

import numpy as np
import pytest

from ddpm import power_ema

LENGTHS = [0.01, 0.05, 0.1, 0.2, 0.28]


@pytest.mark.parametrize("length", LENGTHS)
def test_a_length_has_its_exponent_and_is_the_profile_s_own_deviation(length: float) -> None:
    gamma = power_ema.exponent(length)
    assert power_ema.length(gamma) == pytest.approx(length, rel=1e-9)
    tau = (np.arange(200_000) + 0.5) / 200_000
    weight = (gamma + 1) * tau**gamma / 200_000
    mean = (weight * tau).sum()
    assert np.sqrt((weight * (tau - mean) ** 2).sum()) == pytest.approx(length, rel=1e-3)


@pytest.mark.parametrize("length", LENGTHS)
def test_following_the_decays_weighs_the_steps_by_the_profile(length: float) -> None:
    """Of a long run, as the paper's rule is that of the integral between two steps."""
    gamma, steps = power_ema.exponent(length), 4000
    kept = np.zeros(steps)
    for step in range(1, steps + 1):
        beta = power_ema.decay(gamma, step)
        kept *= beta
        kept[step - 1] += 1 - beta
    assert kept.sum() == pytest.approx(1)
    tau = np.arange(1, steps + 1)
    mean = (kept * tau).sum()
    assert np.sqrt((kept * (tau - mean) ** 2).sum()) / steps == pytest.approx(length, rel=0.01)


def test_products_are_integrals_of_profiles() -> None:
    one, other = (1000.0, 3.5), (700.0, 12.0)
    tau = (np.arange(400_000) + 0.5) / 400  # up to 1000
    values = [np.where(tau < t, (gamma + 1) / t * (tau / t) ** gamma, 0.0) for t, gamma in (one, other)]
    expected = (values[0] * values[1]).sum() / 400
    found = power_ema.products([one], [other])
    assert found.shape == (1, 1)
    assert found[0, 0] == pytest.approx(expected, rel=1e-4)
    assert power_ema.products([other], [one])[0, 0] == pytest.approx(found[0, 0])


def test_an_average_that_is_kept_is_found_as_it_is() -> None:
    kept = [(float(t), power_ema.exponent(s)) for t in (500, 1000, 2000) for s in (0.05, 0.1)]
    counts, off = power_ema.coefficients(kept, kept[4:])
    assert off.max() < 1e-5
    assert counts[0] == pytest.approx([0, 0, 0, 0, 1, 0], abs=1e-4)
    assert counts[1] == pytest.approx([0, 0, 0, 0, 0, 1], abs=1e-4)


@pytest.mark.parametrize("length", [0.04, 0.07, 0.15, 0.25])
def test_any_length_is_made_of_snapshots_of_two(length: float) -> None:
    """What is made of averages tracked step by step is what tracking that length would have given."""
    steps, every = 2048, 64
    walk = np.cumsum(np.random.default_rng(0).normal(size=steps)) / 30
    gammas = {s: power_ema.exponent(s) for s in (0.05, 0.1, length)}
    tracked, kept, profiles = dict.fromkeys(gammas, 0.0), [], []
    for step in range(1, steps + 1):
        for name, gamma in gammas.items():
            beta = power_ema.decay(gamma, step)
            tracked[name] = beta * tracked[name] + (1 - beta) * walk[step - 1]
        if step % every == 0:
            kept += [tracked[0.05], tracked[0.1]]
            profiles += [(float(step), gammas[0.05]), (float(step), gammas[0.1])]
    (counts,), (off,) = power_ema.coefficients(profiles, [(float(steps), gammas[length])])
    assert off < (0.02 if length < 0.2 else 0.05)
    assert counts.sum() == pytest.approx(1, abs=0.01)  # weights that never change stay as they are
    assert float(counts @ kept) == pytest.approx(tracked[length], abs=0.01 * float(np.ptp(walk)))


def test_too_few_snapshots_say_how_far_they_are_off() -> None:
    kept = [(1000.0, power_ema.exponent(0.05)), (1000.0, power_ema.exponent(0.1))]
    _, (near, far) = power_ema.coefficients(kept, [(1000.0, power_ema.exponent(s)) for s in (0.07, 0.28)])
    assert near < 0.1 < far < 1
