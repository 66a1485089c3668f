"""The parts of the configuration that undo damage: [denoising] and [restoration]."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Self

from pydantic import Field, model_validator

from ddpm.config_section import Section


class DenoisingConfig(Section):
    """The noise that a denoiser learns to undo, and how Noise2Same (Xie et al. 2020) learns it."""

    sigma: float = Field(
        0.35, ge=0.0, le=2.0, description="Gaussian noise, as a share of the range from black to white"
    )
    dropped: float = Field(0.0, ge=0.0, lt=1.0, description="Share of the pixels that are black as well")
    invariance: float = Field(2.0, ge=0.0, le=100.0, description="Lambda: what L_inv of Noise2Same counts")
    hidden: float = Field(0.005, gt=0.0, le=0.5, description="Share of the pixels that Noise2Same hides")


Task = Literal["denoise", "inpaint", "super-resolution", "deblur", "colorize", "compressed-sensing"]


class RestorationConfig(Section):
    """What was done to images (y = H x + noise), and how it is undone. Lengths are pixels."""

    count: int | None = Field(None, ge=1, description="Images restored of the inputs; unset: all")
    task: Task = Field("denoise", description="What is undone")
    degrade: bool = Field(
        False,
        description="The inputs are clean: degrade them first, and tell how near the restored ones come",
    )
    sigma: float | None = Field(
        None,
        ge=0.0,
        le=1.0,
        description="Noise, as a share of the range from black to white (25 of 255: 0.098); unset: denoise "
        "estimates it (or adds 0.1), all else has none",
    )
    mask: str = Field(
        "box",
        description="inpaint: box (in the middle), random (pixels), or a file that is white where hidden",
    )
    hidden: float | None = Field(
        None,
        gt=0.0,
        lt=1.0,
        description="Share of the pixels that the mask hides; unset: box 0.25, random 0.5",
    )
    scale: Literal[2, 4] = Field(2, description="super-resolution: times as many pixels each way")
    filter: Literal["average", "bicubic"] = Field("average", description="super-resolution: what shrank it")
    kernel: Literal["uniform", "gaussian", "anisotropic"] = Field("gaussian", description="deblur: the blur")
    width: float | None = Field(
        None,
        gt=0.0,
        le=31.0,
        description="deblur: side of the uniform blur (odd; unset: 5), or standard deviation (unset: "
        "gaussian 1.5; anisotropic 3 across, and a third of it down)",
    )
    ratio: float = Field(
        0.25, gt=0.0, le=1.0, description="compressed-sensing: random measurements for each pixel value"
    )
    method: Literal["ddrm", "posterior", "repaint"] = Field(
        "ddrm",
        description="ddrm: Kawar et al. 2022; posterior: its likeness that is exact for Gaussian data; "
        "repaint: Lugmayr et al. 2022, for inpaint without noise",
    )
    steps: int | None = Field(
        None, ge=1, description="Network evaluations per image (repaint: 10 times as many); unset: 20"
    )
    spacing: Literal["uniform", "quadratic"] = Field(
        "quadratic", description="Timesteps used: evenly, or densely near the image"
    )
    eta: float = Field(
        0.85, ge=0.0, le=1.0, description="ddrm: fresh noise where the measurement is noisy: 0 none, 1 all"
    )
    eta_unseen: float = Field(
        1.0, ge=0.0, le=1.0, description="Fresh noise where nothing is seen (posterior: everywhere)"
    )
    eta_b: float = Field(1.0, ge=0.0, le=1.0, description="ddrm: share of the measurement in what is known")
    samples: int = Field(
        1,
        ge=1,
        le=256,
        description="Restorations drawn of each image; above 1 their mean is written, and spread",
    )
    batch_size: int = Field(64, ge=1, le=65_536, description="Tiles computed at once; does not change them")
    seed: int = Field(0, ge=0, lt=2**63, description="Of masks, noise and restorations")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.method == "repaint" and (self.task != "inpaint" or self.sigma):
            raise ValueError("restoration.method: repaint is for inpaint without noise; take ddrm")
        if self.kernel == "uniform" and self.width is not None and self.width % 2 != 1:
            raise ValueError(
                f"restoration.width: a uniform blur has an odd number of pixels, not {self.width}"
            )
        return self

    def resolved_steps(self, timesteps: int) -> int:
        """Network evaluations per image of a forward process of `timesteps` steps."""
        return self.steps or min(20, timesteps)

    @property
    def resolved_sigma(self) -> float | None:
        """The share of the range from black to white; None where it is estimated image by image."""
        if self.sigma is not None or self.task != "denoise":
            return self.sigma or 0.0
        return 0.1 if self.degrade else None

    @model_validator(mode="after")
    def _mask_is_a_path(self) -> Self:
        if "\0" in self.mask or self.mask != self.mask.encode("utf-8", "replace").decode():
            raise ValueError("restoration.mask: the path has characters that no configuration file can hold")
        return self


#: What says something about one task alone, by key.
OF_TASK: dict[str, Task] = {
    "mask": "inpaint",
    "hidden": "inpaint",
    "scale": "super-resolution",
    "filter": "super-resolution",
    "kernel": "deblur",
    "width": "deblur",
    "ratio": "compressed-sensing",
}


def misplaced(given: Iterable[str], task: Task) -> str | None:
    """What is wrong with keys of [restoration] that were given for `task`, in one line; None: nothing."""
    for key in given:
        if OF_TASK.get(key, task) != task:
            return f"restoration.{key}: it is for {OF_TASK[key]}, and the task is {task}"
    return None
