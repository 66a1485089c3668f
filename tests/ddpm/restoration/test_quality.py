"""PSNR and SSIM are those of scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import metrics
from torch import Tensor

from ddpm.restoration.quality import WINDOW, psnr, ssim


def pair(shape: tuple[int, int, int, int], noise: float) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(shape[2])
    ramp = torch.linspace(0, 255, shape[3]).expand(shape)
    other = ramp + noise * torch.randn(shape, generator=generator)
    return other.clamp(0, 255).to(torch.uint8), ramp.to(torch.uint8)


@pytest.mark.parametrize("noise", [3.0, 40.0, 200.0])
@pytest.mark.parametrize("shape", [(2, 1, 28, 28), (3, 3, 32, 40), (1, 1, 11, 13)])
def test_they_are_scikit_image_s(shape: tuple[int, int, int, int], noise: float) -> None:
    images, truth = pair(shape, noise)
    similar = ssim(images, truth)
    assert similar is not None
    for i in range(shape[0]):
        a, b = (np.moveaxis(x[i].numpy(), 0, -1) for x in (images, truth))
        assert float(psnr(images, truth)[i]) == pytest.approx(metrics.peak_signal_noise_ratio(b, a))
        expected = metrics.structural_similarity(
            b,
            a,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            channel_axis=-1,
            data_range=255,
        )
        assert float(similar[i]) == pytest.approx(expected, abs=1e-9)


def test_equal_images() -> None:
    _, truth = pair((2, 1, 16, 16), 0)
    similar = ssim(truth, truth)
    assert similar is not None
    torch.testing.assert_close(similar, torch.ones(2, dtype=torch.float64))
    assert torch.all(psnr(truth, truth).isinf())


def test_an_image_smaller_than_the_window_has_no_ssim() -> None:
    images, truth = pair((1, 1, WINDOW - 1, 20), 5)
    assert ssim(images, truth) is None
    assert torch.isfinite(psnr(images, truth)).all()


def test_what_is_no_pair_of_pixels_is_refused() -> None:
    images, truth = pair((2, 1, 16, 16), 5)
    for function in (psnr, ssim):
        with pytest.raises(ValueError, match="uint8 images"):
            function(images.float(), truth)
        with pytest.raises(ValueError, match="differ in shape"):
            function(images, truth[:1])
