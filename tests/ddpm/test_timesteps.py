"""Timesteps by how large their loss was: unbiased, and nothing forgotten by a checkpoint."""

from __future__ import annotations

import torch

from ddpm.timesteps import ALIKE, HISTORY, LossSecondMoment, Uniform


def taught(losses: torch.Tensor) -> LossSecondMoment:
    """Every timestep's history is its own loss."""
    found = LossSecondMoment(len(losses))
    for _ in range(HISTORY):
        found.learn(torch.arange(len(losses)), losses)
    return found


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_all_alike_until_every_timestep_is_known() -> None:
    found = LossSecondMoment(4)
    for _ in range(HISTORY):
        found.learn(torch.tensor([0, 1, 2]), torch.tensor([1.0, 2.0, 3.0]))
    assert torch.equal(found.probabilities(), torch.full((4,), 0.25, dtype=torch.float64))


def test_then_in_proportion_to_the_root_mean_square_of_the_last_losses() -> None:
    found = taught(torch.tensor([1.0, 2.0, 5.0]))
    wanted = (1 - ALIKE) * torch.tensor([1, 2, 5]).double() / 8 + ALIKE / 3
    assert torch.allclose(found.probabilities(), wanted, atol=1e-12)
    found.learn(torch.tensor([0] * HISTORY), torch.full((HISTORY,), 3.0))  # the old ones are forgotten
    wanted = (1 - ALIKE) * torch.tensor([3, 2, 5]).double() / 10 + ALIKE / 3
    assert torch.allclose(found.probabilities(), wanted, atol=1e-12)


def test_the_weighted_mean_is_that_over_all_alike() -> None:
    """Exactly: the chances times the weights are all 1/T."""
    losses = torch.rand(20, generator=generator()) * 10
    found = taught(losses)
    times, weights = found.draw(200_000, generator())
    estimate = (weights.double() * losses[times]).mean()
    assert abs(estimate - losses.mean()) < 5e-3 * losses.mean()
    chances = found.probabilities()
    assert torch.allclose(weights.double(), 1 / (20 * chances[times]), rtol=1e-6)
    plain = losses[torch.randint(20, (200_000,), generator=generator())]
    assert (weights * losses[times]).var() < plain.var()  # which is what it is for


def test_each_timestep_is_drawn_as_often_as_its_chance_says() -> None:
    found = taught(torch.tensor([1.0, 2.0, 5.0]))
    times, _ = found.draw(100_000, generator())
    shares = torch.bincount(times, minlength=3) / 100_000
    assert torch.allclose(shares.double(), found.probabilities(), atol=5e-3)


def test_a_checkpoint_holds_all_that_was_learned() -> None:
    found, other = taught(torch.tensor([1.0, 2.0, 5.0])), LossSecondMoment(3)
    other.load(found.state())
    for a, b in zip(found.draw(50, generator()), other.draw(50, generator()), strict=True):
        assert torch.equal(a, b)
    found.learn(torch.tensor([0]), torch.tensor([9.0]))
    assert not torch.equal(found.probabilities(), other.probabilities())


def test_uniform_draws_every_timestep_and_weighs_none() -> None:
    times, weights = Uniform(10).draw(1000, generator())
    assert set(times.tolist()) == set(range(10))
    assert torch.equal(weights, torch.ones(1000))
    assert Uniform(10).state() == {}
