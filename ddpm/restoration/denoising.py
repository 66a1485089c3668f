"""Learning to denoise, by the network of the diffusion models held at timestep 0: f(noisy) → clean.

Three ways, from the least to the most that must be known: noise2same, from noisy images alone (Xie et al.
2020); noise2noise, from pairs of noisy ones (Lehtinen et al. 2018); supervised, from noisy and clean ones.
All of them have of an image but one noisy version (noise2noise two), however often it is seen: what could be
averaged over epochs would be a clean image after all.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ddpm.config import Config, DenoisingConfig
from ddpm.feed import Batch
from ddpm.images import to_uint8
from ddpm.randomness import derive, normal
from ddpm.restoration.noise2same import hide, noise2same_loss
from ddpm.sampling import evaluator
from ddpm.subject import Subject

#: Noisy versions of an image: the one to denoise, the other one of noise2noise, and one to look at.
GIVEN, OTHER, SHOWN = 0, 1, 2


def noisy(
    images: Tensor, numbers: Tensor, denoising: DenoisingConfig, seed: int, which: int = GIVEN
) -> Tensor:
    """Noisy version `which` (0, 1, …) of the images (N,C,H,W) in [-1, 1], float32 of the same shape.

    numbers: int64 (N,) in 0 … 2^32-1; the noise of (seed, number, version) is always the same. First each
    pixel turns black, in all channels, with chance `dropped`, then comes Gaussian noise: the order of the
    HanZi data (Batson & Royer 2019, Noise2Self; Xie et al. 2020: sigma 0.7, dropped 0.5). Those are cut to
    black and white in the end; these are not, or the mean of the noise would depend on the image.
    """
    if denoising.dropped:
        chance = normal(seed, numbers, 2 * which + 1, (1, *images.shape[2:]))
        quantile = torch.special.ndtri(torch.tensor(denoising.dropped, dtype=torch.float64))
        images = torch.where(chance < float(quantile), -1.0, images)
    return images + 2 * denoising.sigma * normal(seed, numbers, 2 * which, tuple(images.shape[1:]))


def expected(clean: Tensor, denoising: DenoisingConfig) -> Tensor:
    """The mean of all noisy versions of an image in [-1, 1], of its shape."""
    return (1 - denoising.dropped) * clean - denoising.dropped


class Denoising:
    """The objectives that are no diffusion model. Where a noisy image is all there is to compare with, it is
    compared with the mean of the noisy versions that an estimate would have: else the estimate would be dark
    where pixels were dropped, which no theorem allows for."""

    def __init__(self, config: Config) -> None:
        self._objective, self._denoising = config.training.objective, config.denoising
        self._seed = derive(config.training.seed, "noise")

    def draw(self, batch: Batch) -> tuple[Tensor, ...]:
        """(noisy, and for noise2same the hidden pixels bool (B,1,H,W), else what the estimate is compared
        with), mirrored alike."""
        given = batch.as_seen(self._noisy(batch, GIVEN))
        if self._objective == "noise2same":
            return given, hide(given, self._denoising.hidden, batch.generator)
        if self._objective == "noise2noise":
            return given, batch.as_seen(self._noisy(batch, OTHER))
        return given, batch.as_seen(batch.images)

    def loss(self, network: nn.Module, *drawn: Tensor) -> Tensor:
        given, other = drawn
        times = torch.zeros(len(given), dtype=torch.int64, device=given.device)
        if self._objective == "supervised":
            return F.mse_loss(network(given, times), other)

        def f(x: Tensor) -> Tensor:
            return expected(network(x, times), self._denoising)

        if self._objective == "noise2same":
            # The paper's images have unit variance, and so has what its lambda is to be compared with.
            return noise2same_loss(f, given, other, self._denoising.invariance * given.std())
        return F.mse_loss(f(given), other)

    def state(self) -> dict[str, Tensor]:
        return {}

    def load(self, state: dict[str, Tensor]) -> None:
        pass

    def _noisy(self, batch: Batch, which: int) -> Tensor:
        return noisy(batch.images, batch.numbers, self._denoising, self._seed, which)


def denoised(network: nn.Module, y: Tensor, *, precision: torch.dtype = torch.float32) -> Tensor:
    """f(y): the clean images that a network in eval mode sees in noisy ones.

    y: float32 (N,C,H,W) in [-1, 1] or beyond, on the network's device; the estimate is of its shape, about
    in [-1, 1].
    """
    return evaluator(network, precision)(y, 0, None)


def pairs(subject: Subject, config: Config, images: Tensor, numbers: Tensor) -> Tensor:
    """Noisy and denoised side by side, uint8 (N,C,H,2W): noise that no step has seen.

    images: float32 (N,C,H,W) in [-1, 1], of the data set that the network learns from; numbers: int64 (N,).
    """
    y = noisy(images, numbers, config.denoising, derive(config.training.seed, "noise"), SHOWN)
    return to_uint8(torch.cat([y, denoised(subject.network, y, precision=subject.precision)], 3).cpu())
