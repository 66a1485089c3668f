"""From a configuration to the degradation that it names, at any size."""

from __future__ import annotations

import torch
from torch import Tensor

from ddpm.config import RestorationConfig
from ddpm.errors import EngineError
from ddpm.restoration import masks
from ddpm.restoration.compressed import CompressedSensing
from ddpm.restoration.degradation import Degradation
from ddpm.restoration.pixelwise import Greying, Masking
from ddpm.restoration.separable import Separable, averaging, bicubic, blurring, gaussian, uniform


def degradation(
    restoration: RestorationConfig, shape: tuple[int, int, int], seen: Tensor | None = None
) -> Degradation:
    """H of images of `shape` (C,H,W). seen: bool (H,W), what inpainting sees; None: as the mask's name says.

    Raises EngineError where such images cannot be degraded so.
    """
    channels, height, width = shape
    task = restoration.task
    if task == "denoise":
        return Masking(channels, masks.everything(height, width))
    if task == "inpaint":
        return Masking(channels, visible(restoration, height, width) if seen is None else seen)
    if task == "super-resolution":
        shrunk = averaging if restoration.filter == "average" else bicubic
        try:
            rows, columns = (shrunk(size, restoration.scale) for size in (height, width))
        except ValueError as error:
            raise EngineError(f"restoration.scale: {error}") from None
        return Separable(channels, rows, columns)
    if task == "deblur":
        down, across = kernels(restoration)
        return Separable(channels, blurring(height, down), blurring(width, across))
    if task == "colorize":
        if channels != 3:
            raise EngineError(
                "restoration.task: colorize needs a model of colour images; this one knows grey"
            )
        return Greying(height, width)
    return CompressedSensing(shape, restoration.ratio, restoration.seed)


def visible(restoration: RestorationConfig, height: int, width: int) -> Tensor:
    """What the mask that a configuration names (no file) lets be seen: bool (height, width)."""
    if restoration.mask == "random":
        hidden = 0.5 if restoration.hidden is None else restoration.hidden
        return masks.random(height, width, hidden, restoration.seed)
    return masks.box(height, width, 0.25 if restoration.hidden is None else restoration.hidden)


def kernels(restoration: RestorationConfig) -> tuple[Tensor, Tensor]:
    """The blur's kernel down the columns and along the rows, float64."""
    width = restoration.width
    if restoration.kernel == "uniform":
        even = uniform(5 if width is None else int(width))
        return even, even
    if restoration.kernel == "gaussian":
        round_ = gaussian(1.5 if width is None else width)
        return round_, round_
    across = 3.0 if width is None else width
    return gaussian(across / 3), gaussian(across)


def as_image(restoration: RestorationConfig, degraded: Degradation, measurement: Tensor) -> Tensor:
    """What a person sees of measurements (N, *measured), (N,C,H,W) in [-1, 1]: hidden pixels black, shrunk
    ones as squares, lost colour as grey, of compressed sensing the smallest image that fits."""
    if restoration.task == "inpaint":
        black = torch.full_like(measurement, -1.0)
        return torch.where(degraded.singulars.to(measurement) > 0, measurement, black).clamp(-1, 1)
    if restoration.task == "super-resolution":
        scale = restoration.scale
        return measurement.repeat_interleave(scale, 2).repeat_interleave(scale, 3).clamp(-1, 1)
    if restoration.task == "colorize":
        return measurement.expand(-1, 3, -1, -1).clamp(-1, 1)
    if restoration.task == "compressed-sensing":
        return degraded.pseudo_inverse(measurement).clamp(-1, 1)
    return measurement.clamp(-1, 1)
