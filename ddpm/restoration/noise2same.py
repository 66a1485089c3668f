"""Learning to denoise from noisy images alone (Noise2Same, Xie, Wang & Ji 2020).

A denoiser f maps a noisy image to its estimate of the clean one, both (N,C,H,W) in [-1, 1] or a bit beyond.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

#: λ of the invariance term, twice what the reconstruction counts (section 3.3, released code).
INVARIANCE = 2.0
#: Share of the pixels that are hidden at once (released code).
HIDDEN = 0.005


def noise2same_loss(
    f: Callable[[Tensor], Tensor], noisy: Tensor, hidden: Tensor, invariance: float | Tensor = INVARIANCE
) -> Tensor:
    """L_rec + λ √L_inv (eq. 6), a float32 scalar.

    L_rec is the mean squared error of f(x) to x itself, L_inv that of f with the `hidden` pixels (bool
    (N,1,H,W)) replaced to f without, on them. An f that copies its input pays for the second, one that looks
    away from it for the first; the sum bounds the error to the clean image (theorem 2). With nothing hidden
    L_inv is 0.
    """
    told, guessed = f(noisy), f(replaced(noisy, hidden))
    reconstruction = F.mse_loss(told, noisy)
    count = (hidden.sum() * noisy.shape[1]).clamp(min=1)
    difference = ((told - guessed).square() * hidden).sum() / count
    return reconstruction + invariance * (difference + 1e-12).sqrt()  # whose slope at 0 would be infinite


def hide(noisy: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Pixels drawn at random, on average at least one of an image: bool (N,1,H,W)."""
    count, _, height, width = noisy.shape
    chance = torch.rand((count, 1, height, width), generator=generator, device=noisy.device)
    return chance < max(share, 1 / (height * width))


def replaced(noisy: Tensor, hidden: Tensor) -> Tensor:
    """The image with each hidden pixel set to the mean of its neighbours (up to eight, itself left out)."""
    channels = noisy.shape[1]
    ring = torch.ones(channels, 1, 3, 3, device=noisy.device, dtype=noisy.dtype)
    ring[:, :, 1, 1] = 0
    around = F.conv2d(noisy, ring, padding=1, groups=channels)
    neighbours = F.conv2d(torch.ones_like(noisy[:1]), ring, padding=1, groups=channels)
    return torch.where(hidden, around / neighbours, noisy)
