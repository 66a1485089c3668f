"""Noise2Same: what its loss is made of, and that it denoises without ever having seen a clean image."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ddpm.restoration.noise2same import hide, noise2same_loss, replaced


def some(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def hidden_of(x: Tensor, share: float = 0.1) -> Tensor:
    return hide(x, share, torch.Generator().manual_seed(1))


def test_hidden_pixels_become_the_mean_of_their_neighbours() -> None:
    x = torch.arange(9.0).view(1, 1, 3, 3)
    hidden = torch.zeros(1, 1, 3, 3, dtype=torch.bool)
    hidden[..., 1, 1] = hidden[..., 0, 0] = True
    expected = x.clone()
    expected[..., 1, 1] = (36 - 4) / 8
    expected[..., 0, 0] = (1 + 3 + 4) / 3
    torch.testing.assert_close(replaced(x, hidden), expected)


def test_a_hidden_pixel_says_nothing_of_itself() -> None:
    x = some((2, 3, 8, 8))
    hidden = torch.zeros(2, 1, 8, 8, dtype=torch.bool)
    hidden[:, :, 3, 4] = True
    other = x + 5 * hidden
    assert torch.equal(replaced(x, hidden), replaced(other, hidden))


def test_as_many_are_hidden_as_asked_and_at_least_one_now_and_then() -> None:
    x = torch.zeros(200, 1, 20, 20)
    assert float(hidden_of(x, 0.05).float().mean()) == pytest.approx(0.05, rel=0.05)
    assert float(hidden_of(x, 1e-9).float().mean()) == pytest.approx(1 / 400, rel=0.2)
    again = hide(x, 0.05, torch.Generator().manual_seed(1))
    assert torch.equal(again, hidden_of(x, 0.05))


def test_copying_costs_invariance_and_looking_away_costs_reconstruction() -> None:
    x = some((4, 2, 8, 8))
    hidden = hidden_of(x)
    moved = ((x - replaced(x, hidden)).square() * hidden).sum() / (hidden.sum() * 2)
    torch.testing.assert_close(noise2same_loss(lambda y: y, x, hidden), 2 * moved.sqrt())
    constant = noise2same_loss(lambda y: 0 * y + 0.3, x, hidden)
    torch.testing.assert_close(constant, (x - 0.3).square().mean(), atol=1e-5, rtol=1e-5)
    heavier = noise2same_loss(lambda y: y, x, hidden, invariance=5.0)
    torch.testing.assert_close(heavier, 5 * moved.sqrt())


def test_with_nothing_hidden_it_can_still_be_followed_downhill() -> None:
    weight = torch.ones((), requires_grad=True)
    loss = noise2same_loss(
        lambda y: weight * y, some((2, 1, 4, 4)), torch.zeros(2, 1, 4, 4, dtype=torch.bool)
    )
    loss.backward()
    assert weight.grad is not None
    assert torch.isfinite(weight.grad)


def test_it_learns_to_denoise_from_noisy_images_alone() -> None:
    """Smooth waves under strong noise: far nearer to the clean ones than the input, and than a copy."""
    torch.manual_seed(0)
    phase = 6.28 * torch.rand(64, 1, 1, 1)
    clean = torch.sin(torch.arange(16.0) * 0.6 + phase).expand(64, 1, 16, 16)
    noisy = clean + 0.5 * some((64, 1, 16, 16), 2)
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.SiLU(), nn.Conv2d(16, 16, 3, padding=1), nn.SiLU(),
        nn.Conv2d(16, 1, 3, padding=1),
    )  # fmt: skip
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    generator = torch.Generator().manual_seed(3)
    for _ in range(150):
        loss = noise2same_loss(network, noisy, hide(noisy, 0.02, generator))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        error = float(F.mse_loss(network(noisy), clean))
    assert error < 0.4 * float(F.mse_loss(noisy, clean))
