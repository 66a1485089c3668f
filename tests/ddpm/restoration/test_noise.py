"""The strength of noise is found without knowing the image."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from ddpm import data
from ddpm.config import DataConfig
from ddpm.restoration.noise import estimate_sigma


def digits(count: int) -> Tensor:
    """Clean images in [-1, 1] with strokes, edges and flat black, (N,1,32,32)."""
    images = data.load(DataConfig(dataset="digits", image_size=32), root=Path()).images
    return images[:count].float() / 127.5 - 1


@pytest.mark.parametrize("sigma", [0.1, 0.3, 1.0])
def test_noise_is_measured(sigma: float) -> None:
    noise = torch.randn((64, 1, 32, 32), generator=torch.Generator().manual_seed(1))
    found = estimate_sigma(digits(64) + sigma * noise)
    assert float(found.mean()) == pytest.approx(sigma, rel=0.1)
    assert float(found.std()) < 0.15 * sigma


def test_pure_noise_is_measured_without_bias() -> None:
    found = estimate_sigma(torch.randn((200, 3, 33, 31), generator=torch.Generator().manual_seed(2)))
    assert float(found.mean()) == pytest.approx(1, rel=0.01)


def test_it_scales_with_the_values_and_not_with_their_mean() -> None:
    noise = torch.randn((4, 1, 16, 16), generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(estimate_sigma(3 * noise + 7), 3 * estimate_sigma(noise), rtol=1e-4, atol=0)


def test_a_flat_image_has_none() -> None:
    assert torch.equal(estimate_sigma(torch.full((2, 1, 8, 8), 0.5)), torch.zeros(2, dtype=torch.float64))


def test_flat_black_around_noise_is_no_measurement() -> None:
    noise = torch.randn((64, 1, 32, 32), generator=torch.Generator().manual_seed(4))
    noise[:, :, :, 8:] = 0
    assert float(estimate_sigma(noise).mean()) == pytest.approx(1, rel=0.1)


def test_it_agrees_with_scikit_image_on_large_images() -> None:
    from skimage import restoration

    image = torch.randn((1, 1, 256, 256), generator=torch.Generator().manual_seed(5)) * 0.2
    image += torch.linspace(0, 3, 256)
    expected = restoration.estimate_sigma(image[0, 0].numpy())
    assert float(estimate_sigma(image)) == pytest.approx(float(expected), rel=0.05)


def test_less_than_two_pixels_tell_nothing() -> None:
    with pytest.raises(ValueError, match="tells nothing of its noise"):
        estimate_sigma(torch.zeros(1, 1, 1, 8))
