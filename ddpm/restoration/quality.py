"""How near a restored image is to the truth: PSNR and SSIM, on pixels as they are saved."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ddpm.restoration.separable import gaussian

#: Of SSIM (Wang et al. 2004, section III): an 11×11 Gaussian window of standard deviation 1.5.
WINDOW = 11
_STD = 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def psnr(images: Tensor, truth: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, float64 (N,), over all channels; infinite for equal images.

    uint8 (N,C,H,W) both. Raises ValueError for anything else.
    """
    _check(images, truth)
    error = (images.double() - truth.double()).square().flatten(1).mean(1)
    return 10 * torch.log10(255**2 / error)


def ssim(images: Tensor, truth: Tensor) -> Tensor | None:
    """Structural similarity (Wang et al. 2004), float64 (N,), at most 1: the mean over channels and windows
    that lie inside the image. None where none does: an image is smaller than WINDOW.

    uint8 (N,C,H,W) both. Raises ValueError for anything else.
    """
    _check(images, truth)
    if min(images.shape[-2:]) < WINDOW:
        return None
    x, y = images.double(), truth.double()
    mean_x, mean_y = _smooth(x), _smooth(y)
    var_x, var_y = _smooth(x * x) - mean_x**2, _smooth(y * y) - mean_y**2
    covariance = _smooth(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    structure = (2 * covariance + _C2) / (var_x + var_y + _C2)
    return (luminance * structure).flatten(1).mean(1)


#: dB recorded for images that are equal, whose PSNR is infinite.
EQUAL = 100.0


def quality(image: Tensor, truth: Tensor) -> tuple[float, float | None]:
    """PSNR (at most EQUAL) and SSIM of one image, uint8 (1,C,H,W), as plain numbers."""
    similar = ssim(image, truth)
    return min(float(psnr(image, truth)[0]), EQUAL), None if similar is None else float(similar[0])


def _smooth(x: Tensor) -> Tensor:
    """Weighted means over windows inside the image."""
    reach = WINDOW // 2
    kernel = gaussian(_STD)
    middle = len(kernel) // 2
    kernel = kernel[middle - reach : middle + reach + 1].to(x)
    kernel = kernel / kernel.sum()
    channels = x.shape[1]
    x = F.conv2d(x, kernel.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)
    return F.conv2d(x, kernel.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)


def _check(images: Tensor, truth: Tensor) -> None:
    for x in (images, truth):
        if x.dtype != torch.uint8 or x.ndim != 4:
            raise ValueError(f"quality takes uint8 images (N,C,H,W), not {x.dtype} {tuple(x.shape)}")
    if images.shape != truth.shape:
        raise ValueError(f"images {tuple(images.shape)} and truth {tuple(truth.shape)} differ in shape")
