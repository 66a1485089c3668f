"""The part of the configuration that says how images are drawn: [sampling]."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ddpm.config_section import Section

Sampler = Literal["ddpm", "ddim", "euler", "heun", "dpmpp-2m", "dpmpp-3m", "unipc", "ipndm", "consistency"]

#: Steps of a sampler where none are asked for; ddpm takes every timestep.
USUAL_STEPS: dict[str, int] = {"ddim": 50, "euler": 50, "heun": 18, "consistency": 2}

#: Whose steps take as much fresh noise as `eta` says.
WITH_NOISE = ("ddim", "dpmpp-2m", "dpmpp-3m")

#: What works where nothing of the image is left at the last timestep: the rest divide by it.
WITHOUT_SIGNAL = ("ddpm", "ddim", "consistency")


#: What divides by alpha of every timestep visited.
IN_SIGMA_SPACE = ("euler", "heun", "ipndm")


def network_evaluations(sampler: str, steps: int, *, guided: bool) -> int:
    """NFE: how often a network is asked about an image in so many steps, guided in all or in none."""
    asked = 2 * steps - 1 if sampler == "heun" else steps
    return 2 * asked if guided else asked


def idle(sampling: SamplingConfig, classes: int) -> dict[str, str]:
    """Why keys do nothing as the others are, of a network that is told of so many classes."""
    found, unguided = {}, "there is no guidance (guidance is 1)"
    if sampling.eta > 0 and sampling.sampler not in WITH_NOISE:
        found["eta"] = f"{sampling.sampler} has no choice of fresh noise; {', '.join(WITH_NOISE)} have"
    if sampling.spacing != "karras":
        found["rho"] = f"it is of spacing karras, not of {sampling.spacing}"
    if sampling.guidance == 1:
        found |= dict.fromkeys(("guidance_from", "guidance_to"), unguided)
        if sampling.guidance_step is not None:
            found["guidance_step"] = unguided
    if sampling.guide is None:
        found["guidance_class"] = "it is of guidance_step, with guidance"
    elif not classes:
        found["guidance_class"] = "the network is told of no classes"
    return found


class SamplingConfig(Section):
    """How images are drawn, for grids while training and by `sample`."""

    sampler: Sampler = Field(
        "ddim",
        description="ddpm: ancestral (Ho 2020); ddim (Song 2021); euler, heun: in sigma-space (Karras 2022); "
        "dpmpp-2m, dpmpp-3m (Lu 2022), unipc (Zhao 2023), ipndm (Zhang 2023): good in few steps; "
        "consistency: one to four steps, of a network tuned for it",
    )
    steps: int | None = Field(
        None,
        ge=1,
        description="Steps from noise to image, a network evaluation each (heun two, but one in the last); "
        "unset: ddpm all timesteps, ddim and euler 50, heun 18, consistency 2, the others 20",
    )
    eta: float = Field(
        0.0, ge=0.0, le=1.0, description="Fresh noise of ddim, dpmpp-2m and dpmpp-3m: 0 none, 1 as ddpm"
    )
    spacing: Literal["uniform", "quadratic", "log_snr", "karras"] = Field(
        "uniform",
        description="Timesteps used: evenly, densely near the image, evenly in log-SNR, or by Karras et al.",
    )
    rho: float = Field(7.0, ge=1.0, le=100.0, description="karras: above 1 denser near the image")
    clip: bool = Field(True, description="Cut each prediction of the image to the range of pixels")
    labels: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        (),
        description="Classes drawn, in turn, by number or name; all: every one the network is told of",
    )
    guidance: float = Field(
        1.0,
        ge=0.0,
        le=100.0,
        description="1 none, above it more of the class (classifier-free) and of what training brought "
        "(guidance_step)",
    )
    guidance_step: int | None = Field(
        None,
        ge=1,
        description="Autoguidance: guided away from what the weights of this earlier step say, a milestone; "
        "a training's own grids and scores are without. unset: from what is said without the class",
    )
    guidance_class: bool = Field(
        True,
        description="Those of guidance_step are asked without the class, which guides towards it too",
    )
    guidance_from: float = Field(
        0.0, ge=0.0, le=1.0, description="Guided from this share of the timesteps on: 0 the image"
    )
    guidance_to: float = Field(1.0, ge=0.0, le=1.0, description="And up to this one: 1 the noise")
    count: int = Field(64, ge=1, le=1_000_000, description="Images drawn")
    batch_size: int = Field(256, ge=1, le=65_536, description="Images computed at once; does not change them")
    compile: Literal["auto", "off", "on"] = Field(
        "auto",
        description="torch.compile of the network; auto: on a GPU, where whole batches ask it 2,000 times",
    )
    seed: int = Field(0, ge=0, lt=2**63, description="Image i of a seed is always the same image")
    ema: bool = Field(True, description="Use the averaged weights")
    average: float | None = Field(
        None,
        gt=0.0,
        lt=1.0,
        description="Which average: one of training.ema_decays or ema_lengths, or a length up to 0.28 that "
        "the training's snapshots make; unset: that of training.ema_decay",
    )

    def resolved_steps(self, timesteps: int) -> int:
        """Steps from noise to image of a forward process of `timesteps` steps."""
        if self.steps is not None:
            return self.steps
        return timesteps if self.sampler == "ddpm" else min(USUAL_STEPS.get(self.sampler, 20), timesteps)

    @property
    def guide(self) -> int | None:
        """The earlier step whose weights images are guided by; None: by none."""
        return None if self.guidance == 1 else self.guidance_step

    @property
    def guided_in_part(self) -> bool:
        """Whether guidance leaves out some timesteps: `evaluations` then tells the most there can be."""
        return self.guidance != 1 and (self.guidance_from, self.guidance_to) != (0, 1)

    def evaluations(self, timesteps: int) -> int:
        """NFE: how often the network is asked about each image; at most, where `guided_in_part`."""
        return network_evaluations(self.sampler, self.resolved_steps(timesteps), guided=self.guidance != 1)

    @model_validator(mode="after")
    def _guided_somewhere(self) -> Self:
        if self.guidance_from > self.guidance_to:
            raise ValueError(
                f"sampling.guidance_from: {self.guidance_from:g} is above guidance_to {self.guidance_to:g}"
            )
        return self
