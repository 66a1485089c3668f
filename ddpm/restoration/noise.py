"""How strong the noise in an image is, told by the image alone."""

from __future__ import annotations

import torch
from torch import Tensor

#: Median of |z| for a standard normal z.
_MEDIAN = 0.6744897501960817


def estimate_sigma(images: Tensor) -> Tensor:
    """Standard deviation of white Gaussian noise, float64 (N,), in the unit of the values.

    images: float (N,C,H,W). The median size of the finest diagonal wavelet details (Donoho & Johnstone 1994,
    section 4.2; Haar's), pooled over channels: edges are few, noise is everywhere. Details that are exactly 0
    are left out, since flat black around a digit is no measurement of anything; where all are, the estimate
    is 0. Too low where noise was cut off at black or white. Raises ValueError below 2×2 pixels.
    """
    height, width = images.shape[-2] // 2 * 2, images.shape[-1] // 2 * 2
    if not height or not width:
        raise ValueError(f"an image of {tuple(images.shape[-2:])} pixels tells nothing of its noise")
    x = images.double()[..., :height, :width]
    diagonal = (x[..., ::2, ::2] - x[..., ::2, 1::2] - x[..., 1::2, ::2] + x[..., 1::2, 1::2]) / 2
    sizes = diagonal.abs().flatten(1)
    told = torch.where(sizes > 0, sizes, torch.nan).nanmedian(1).values
    return told.nan_to_num(nan=0.0) / _MEDIAN
