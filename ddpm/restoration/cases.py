"""What is restored: an input made ready, with all that its result is compared with and written like."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from ddpm.config import Config, DenoisingConfig
from ddpm.errors import EngineError
from ddpm.images import to_uint8
from ddpm.randomness import derive
from ddpm.restoration import tasks
from ddpm.restoration.degradation import Degradation
from ddpm.restoration.denoising import noisy
from ddpm.restoration.inputs import Source
from ddpm.restoration.noise import estimate_sigma
from ddpm.restoration.pictures import Picture, for_channels, mask_file
from ddpm.restoration.quality import quality
from ddpm.restoration.tiles import reflected

#: Degradations of different sizes that are kept at hand.
_KEPT = 8


@dataclass(frozen=True, slots=True)
class Case:
    """Tensors are float32 on the CPU, in [-1, 1] and a bit beyond where there is noise."""

    source: Source
    picture: Picture
    degradation: Degradation  #: of the padded image; the same object for all of one size
    measurement: Tensor  #: (*measured), of the padded image
    sigma: float  #: noise in `measurement`
    size: tuple[int, int]  #: height and width of the result: the padding's are cut off
    truth: Tensor | None  #: (C,H,W), of that size

    def goes_with(self, other: Case) -> bool:
        """Whether both can be restored by one call."""
        return self.degradation is other.degradation and self.sigma == other.sigma

    def degraded(self, config: Config) -> Tensor:
        """The measurement as a person sees it, (C,H,W) in [-1, 1]."""
        seen = tasks.as_image(config.restoration, self.degradation, self.measurement[None])[0]
        return seen[:, : self.size[0], : self.size[1]]

    def measured(self, config: Config, image: Tensor) -> dict[str, float | None]:
        """How near the measurement and a restored `image` ((C,H,W) in [-1, 1], of `size`) come to the truth:
        "input_psnr", "input_ssim", "psnr", "ssim"; nothing where it is not known."""
        if self.truth is None:
            return {}
        truth = to_uint8(self.truth[None])
        told: dict[str, float | None] = {}
        told["input_psnr"], told["input_ssim"] = quality(to_uint8(self.degraded(config)[None]), truth)
        told["psnr"], told["ssim"] = quality(to_uint8(image[None]), truth)
        return told


class Preparation:
    """Makes cases of a run's inputs; `config.restoration` says what was, or is to be, done to them.

    seen: bool (H,W), what inpainting sees, in place of the mask that the configuration names.
    """

    def __init__(self, config: Config, seen: Tensor | None = None) -> None:
        self._config, self._restoration = config, config.restoration
        self._noise = _noise(config)
        named = self._restoration.mask in ("box", "random")
        if seen is None and self._restoration.task == "inpaint" and not named:
            seen = mask_file(Path(self._restoration.mask))
        self._mask = seen
        self._degradation = lru_cache(_KEPT)(self._make)

    def case(self, source: Source, picture: Picture) -> Case:
        """Raises EngineError, in one line that names the input, where it fits not the task or the model."""
        restoration, channels = self._restoration, self._config.data.shape[0]
        if restoration.task == "colorize" and not restoration.degrade:
            given = _grey(picture)
        else:
            given = for_channels(picture, channels, source.name)
        given = given * 2 - 1
        scale = restoration.scale if restoration.task == "super-resolution" and not restoration.degrade else 1
        size = (given.shape[1] * scale, given.shape[2] * scale)
        self._check_mask(source, size)
        degradation = self._degradation(size)
        _, height, width = degradation.shape
        if restoration.degrade:
            measurement = self._degraded(degradation, reflected(given[None], height, width), source.number)
            return Case(source, picture, degradation, measurement, 2 * self._noise.sigma, size, given)
        known = restoration.resolved_sigma
        measurement = reflected(given[None], height // scale, width // scale)[0]
        sigma = self._estimated(source, given) if known is None else 2 * known
        return Case(source, picture, degradation, measurement, sigma, size, None)

    def _make(self, size: tuple[int, int]) -> Degradation:
        """Of an image of `size`, padded to at least the network's, and to whole squares of the scale."""
        restoration = self._restoration
        channels, least, _ = self._config.data.shape
        step = restoration.scale if restoration.task == "super-resolution" else 1
        height, width = (-(-max(least, side) // step) * step for side in size)
        if restoration.task == "compressed-sensing" and (height, width) != (least, least):
            raise EngineError(
                f"compressed sensing is for images of the model's {least}×{least} pixels; "
                f"this one has {size[1]}×{size[0]}"
            )
        seen = None
        if restoration.task == "inpaint":
            own = tasks.visible(restoration, *size) if self._mask is None else self._mask
            seen = reflected(own[None, None].float(), height, width)[0, 0] > 0
        return tasks.degradation(restoration, (channels, height, width), seen)

    def _degraded(self, degradation: Degradation, image: Tensor, number: int) -> Tensor:
        """(*measured), with the noise that image `number` of the seed has."""
        seed = derive(self._restoration.seed, "degrade")
        return noisy(degradation.degrade(image), torch.tensor([number]), self._noise, seed)[0]

    def _check_mask(self, source: Source, size: tuple[int, int]) -> None:
        mask = self._mask
        if mask is not None and tuple(mask.shape) != size:
            raise EngineError(
                f"{source.name} has {size[1]}×{size[0]} pixels and the mask {mask.shape[1]}×{mask.shape[0]}"
            )

    def _estimated(self, source: Source, image: Tensor) -> float:
        try:
            return _rounded(float(estimate_sigma(image[None])[0]))
        except ValueError:
            raise EngineError(
                f"{source.name} has too few pixels to tell its noise: give restoration.sigma"
            ) from None


def _rounded(sigma: float) -> float:
    """To the nearest of levels that are 5 % apart, about as exact as it is: images of equal noise are then
    restored together, and none depends on which others there are."""
    return 0.0 if sigma <= 0 else 1.05 ** round(math.log(sigma, 1.05))


def _noise(config: Config) -> DenoisingConfig:
    """What clean images get: the noise that a denoiser has learned, but for what is given; else Gaussian."""
    restoration = config.restoration
    if config.diffuses:
        return DenoisingConfig(sigma=restoration.resolved_sigma or 0.0)
    known = config.denoising
    return known if restoration.sigma is None else known.model_copy(update={"sigma": restoration.sigma})


def _grey(picture: Picture) -> Tensor:
    """(1,H,W): what colorize begins with, of a picture that may be stored in colour."""
    if len(picture.pixels) == 1:
        return picture.pixels
    weights = torch.tensor([0.299, 0.587, 0.114])
    return torch.einsum("c,chw->hw", weights, picture.pixels)[None]
