"""The configuration of a run: ten small models that say what every value may be.

The form in the app, `--set`, the TOML files and their error messages all come from these models.
No torch here: describing a run must stay cheap.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from ddpm import datafiles
from ddpm.config_likelihood import LikelihoodConfig
from ddpm.config_restoration import DenoisingConfig, RestorationConfig, Task
from ddpm.config_section import Section

__all__ = ["DenoisingConfig", "RestorationConfig", "Section", "Task"]  # from here as well

#: What a network is trained to say of x_t: the noise, the image, or the velocity between them.
Prediction = Literal["epsilon", "x0", "v"]
#: Of a step back: beta, beta-tilde, or learned between the two.
Variance = Literal["fixed_large", "fixed_small", "learned_range"]
Dataset = Literal["mnist", "fashion-mnist", "cifar10", "digits", "folder"]

#: Classes of the data sets that have a fixed number: all of them ten.
CLASSES = 10

#: (height = width, channels) of the data sets that have a fixed shape.
NATIVE_SHAPES: dict[str, tuple[int, int]] = {
    "mnist": (28, 1),
    "fashion-mnist": (28, 1),
    "cifar10": (32, 3),
    "digits": (8, 1),
}


class DataConfig(Section):
    """What the network learns from."""

    dataset: Dataset = Field("mnist", description="Data set; `folder` takes any folder of images")
    root: str | None = Field(
        None, description="Folder of the data; unset: DDPM_DATA, else datasets/ under the home"
    )
    image_size: int | None = Field(
        None, ge=4, le=1024, description="Height and width in pixels; unset: the data set's own"
    )
    channels: Literal[1, 3] | None = Field(
        None, description="1 grey, 3 colour; unset: the data set's own (a folder: 3)"
    )
    flip: bool = Field(False, description="Mirror half of the images left to right while training")
    crop: int = Field(
        0, ge=0, le=512, description="Pixels by which images are shifted at most while training, each way"
    )

    @model_validator(mode="after")
    def _root_is_a_path(self) -> Self:
        root = self.root or ""
        if "\0" in root or root != root.encode("utf-8", "replace").decode():
            raise ValueError("data.root: the path has characters that no configuration file can hold")
        return self

    @model_validator(mode="after")
    def _something_is_left(self) -> Self:
        size = self.image_size or NATIVE_SHAPES.get(self.dataset, (0, 0))[0]
        if self.crop and size and self.crop >= size:
            raise ValueError(f"data.crop: a shift by {self.crop} of {size} pixels may leave nothing")
        return self

    @model_validator(mode="after")
    def _folder_needs_root_and_size(self) -> Self:
        if self.dataset == "folder":
            if self.root is None:
                raise ValueError("data.root: dataset `folder` needs the folder's path")
            if self.image_size is None:
                raise ValueError("data.image_size: dataset `folder` needs a size in pixels")
        return self

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of one image as the network sees it."""
        size, channels = NATIVE_SHAPES.get(self.dataset, (self.image_size, 3))
        size = self.image_size or size
        assert size is not None
        return (self.channels or channels, size, size)


class ModelConfig(Section):
    """The U-Net of Ho et al. 2020 (appendix B)."""

    channels: int = Field(
        128, ge=8, le=1024, multiple_of=8, description="Channels at full resolution; a multiple of 8"
    )
    multipliers: tuple[Annotated[int, Field(ge=1, le=16)], ...] = Field(
        (1, 2, 2),
        min_length=1,
        max_length=8,
        description="Channel multiplier of each resolution, finest first",
    )
    blocks: int = Field(2, ge=1, le=8, description="Residual blocks per resolution")
    attention: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (16,), description="Image sizes with self-attention; sizes that do not occur are ignored"
    )
    dropout: float = Field(0.1, ge=0.0, lt=1.0, description="Dropout inside residual blocks")
    classes: int = Field(
        0, ge=0, le=100_000, description="Classes that it is told of: as many as the data has, or 0 for none"
    )


class DiffusionConfig(Section):
    """The forward process q (Ho et al. 2020, eq. 2) and the variance of its reversal."""

    timesteps: int = Field(1000, ge=2, le=100_000, description="Length T of the forward process")
    schedule: Literal["linear", "scaled_linear", "cosine", "sigmoid"] = Field(
        "linear",
        description="Shape of the noise over time; cosine and sigmoid ignore beta_start and beta_end",
    )
    beta_start: float = Field(1e-4, gt=0.0, lt=1.0, description="Beta of the first step")
    beta_end: float = Field(0.02, gt=0.0, lt=1.0, description="Beta of the last step")
    zero_terminal_snr: bool = Field(
        False, description="Rescale the schedule so that nothing of the image is left at its end"
    )
    prediction: Prediction = Field(
        "epsilon", description="What the network predicts: the noise, the image, or the velocity v"
    )
    variance: Variance = Field(
        "fixed_large",
        description="Variance of the reverse step: beta (large), posterior beta (small), or learned",
    )

    @model_validator(mode="after")
    def _betas_grow(self) -> Self:
        if self.beta_start > self.beta_end:
            raise ValueError(
                f"diffusion.beta_start: {self.beta_start} is above beta_end {self.beta_end}; noise must grow"
            )
        return self

    @model_validator(mode="after")
    def _the_image_can_be_told(self) -> Self:
        if self.zero_terminal_snr and self.prediction == "epsilon":
            raise ValueError(
                "diffusion.prediction: at zero terminal SNR noise alone tells nothing of the image; "
                "take v or x0"
            )
        return self


class TrainingConfig(Section):
    """Optimisation of L_simple (Ho et al. 2020, eq. 14), or of a denoiser. A step is one optimiser step."""

    objective: Literal["auto", "simple", "hybrid", "vlb", "noise2same", "noise2noise", "supervised"] = Field(
        "auto",
        description="auto: hybrid where the variance is learned, else simple; simple, hybrid (with the bound "
        "for the variance), vlb (the bound alone): a diffusion model; else a denoiser of one noise, that of "
        "[denoising], learned from noisy images alone (noise2same), from pairs of noisy ones, or clean ones",
    )
    weighting: Literal["none", "min_snr", "p2"] = Field(
        "none", description="What timesteps count in L_simple: alike, min(SNR, gamma), or P2"
    )
    gamma: float | None = Field(
        None, gt=0.0, le=1000.0, description="Of the weighting; unset: min_snr 5, p2 1"
    )
    timesteps: Literal["auto", "uniform", "loss_second_moment"] = Field(
        "auto",
        description="Drawn all alike, or by how large their loss was (auto: for vlb)",
    )
    steps: int = Field(100_000, ge=1, le=10**9, description="Optimiser steps in all")
    batch_size: int = Field(128, ge=1, le=65_536, description="Images per optimiser step")
    accumulation: int = Field(
        1, ge=1, description="Parts a batch is computed in, to save memory; divides batch_size"
    )
    learning_rate: float = Field(2e-4, gt=0.0, le=1.0, description="AdamW's learning rate after warm-up")
    weight_decay: float = Field(0.0, ge=0.0, le=1.0, description="AdamW's decoupled weight decay")
    warmup_steps: int = Field(1000, ge=0, description="Steps over which the learning rate grows linearly")
    decay: Literal["constant", "cosine"] = Field(
        "constant", description="Learning rate after warm-up: constant, or a cosine down to zero at `steps`"
    )
    label_dropout: float = Field(
        0.1, ge=0.0, le=1.0, description="Share of the images whose class is hidden, as guidance needs it"
    )
    gradient_clip: float = Field(1.0, gt=0.0, description="Largest L2 norm of the gradient")
    ema_decay: float = Field(0.9999, ge=0.0, lt=1.0, description="Decay per step of the averaged weights")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="Of the network's arithmetic; auto: bfloat16 where the device gains by it"
    )
    seed: int = Field(0, ge=0, lt=2**63, description="Of weights, data order, noise, timesteps and dropout")
    log_every: int = Field(50, ge=1, description="Steps between two rows of metrics")
    checkpoint_every: int = Field(5000, ge=1, description="Steps between checkpoints")
    keep_checkpoints: int = Field(2, ge=1, description="Latest checkpoints kept; milestones stay for ever")
    milestone_every: int = Field(0, ge=0, description="Steps between checkpoints that stay for ever; 0: none")
    sample_every: int = Field(5000, ge=0, description="Steps between sample grids; 0: only one at the end")

    @property
    def resolved_gamma(self) -> float:
        return self.gamma or (5.0 if self.weighting == "min_snr" else 1.0)

    def resolved_timesteps(self, objective: str) -> str:
        """How timesteps are drawn for an objective as `Config.objective` tells it."""
        if self.timesteps == "auto":
            return "loss_second_moment" if objective == "vlb" else "uniform"
        return self.timesteps

    @model_validator(mode="after")
    def _parts_divide_batch(self) -> Self:
        if self.batch_size % self.accumulation:
            raise ValueError(
                f"training.accumulation: {self.accumulation} does not divide batch_size {self.batch_size}"
            )
        return self


Sampler = Literal["ddpm", "ddim", "euler", "heun", "dpmpp-2m", "dpmpp-3m", "unipc", "ipndm"]

#: Steps of a sampler where none are asked for; ddpm takes every timestep.
USUAL_STEPS: dict[str, int] = {"ddim": 50, "euler": 50, "heun": 18}

#: What works where nothing of the image is left at the last timestep: the rest divide by it.
WITHOUT_SIGNAL = ("ddpm", "ddim")


class SamplingConfig(Section):
    """How images are drawn, for grids while training and by `sample`."""

    sampler: Sampler = Field(
        "ddim",
        description="ddpm: ancestral (Ho 2020); ddim (Song 2021); euler, heun: in sigma-space (Karras 2022); "
        "dpmpp-2m, dpmpp-3m (Lu 2022), unipc (Zhao 2023), ipndm (Zhang 2023): good in few steps",
    )
    steps: int | None = Field(
        None,
        ge=1,
        description="Steps from noise to image, a network evaluation each (heun two, but one in the last); "
        "unset: ddpm all timesteps, ddim and euler 50, heun 18, the others 20",
    )
    eta: float = Field(0.0, ge=0.0, le=1.0, description="Noise of DDIM: 0 deterministic, 1 ancestral")
    spacing: Literal["uniform", "quadratic", "log_snr", "karras"] = Field(
        "uniform",
        description="Timesteps used: evenly, densely near the image, evenly in log-SNR, or by Karras et al.",
    )
    rho: float = Field(7.0, ge=1.0, le=100.0, description="karras: above 1 denser near the image")
    clip: bool = Field(True, description="Cut each prediction of the image to the range of pixels")
    labels: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        (), description="Classes drawn, in turn; none: every class that the network is told of"
    )
    guidance: float = Field(
        1.0, ge=0.0, le=100.0, description="Classifier-free guidance: 1 none, above it more of the class"
    )
    guidance_from: float = Field(
        0.0, ge=0.0, le=1.0, description="Guided from this share of the timesteps on: 0 the image"
    )
    guidance_to: float = Field(1.0, ge=0.0, le=1.0, description="And up to this one: 1 the noise")
    count: int = Field(64, ge=1, le=1_000_000, description="Images drawn")
    batch_size: int = Field(256, ge=1, le=65_536, description="Images computed at once; does not change them")
    seed: int = Field(0, ge=0, lt=2**63, description="Image i of a seed is always the same image")
    ema: bool = Field(True, description="Use the averaged weights")

    def resolved_steps(self, timesteps: int) -> int:
        """Steps from noise to image of a forward process of `timesteps` steps."""
        if self.steps is not None:
            return self.steps
        return timesteps if self.sampler == "ddpm" else min(USUAL_STEPS.get(self.sampler, 20), timesteps)

    def evaluations(self, timesteps: int) -> int:
        """NFE: how often the network is asked about each image; at most, where not all steps are guided."""
        steps = self.resolved_steps(timesteps)
        asked = 2 * steps - 1 if self.sampler == "heun" else steps
        return 2 * asked if self.guidance != 1 else asked

    @model_validator(mode="after")
    def _guided_somewhere(self) -> Self:
        if self.guidance_from > self.guidance_to:
            raise ValueError(
                f"sampling.guidance_from: {self.guidance_from:g} is above guidance_to {self.guidance_to:g}"
            )
        return self


class EvaluationConfig(Section):
    """How good the images are: distances between features of samples and of the data set."""

    every: int = Field(
        0, ge=0, description="Steps between evaluations while training, one more at the end; 0: none"
    )
    samples: int = Field(10_000, ge=2, le=1_000_000, description="Images drawn; papers take 50,000")
    convention: Literal["tensorflow", "pytorch-fid"] = Field(
        "tensorflow", description="Resize and scaling before Inception; tensorflow is what papers report"
    )
    reference: Literal["train", "test"] = Field(
        "train", description="Part of the data set to compare with; papers take train"
    )
    companions: bool = Field(
        True,
        description="Also KID, precision, recall, density and coverage; needs features of up to 10,000 "
        "images of the data set, computed once",
    )
    weights: str | None = Field(
        None, description="File of the FID Inception weights; unset: DDPM_INCEPTION, else found or downloaded"
    )

    classifier: str | None = Field(
        None, description="File of a digit classifier of your own, for MNIST; unset: the one that comes along"
    )

    @model_validator(mode="after")
    def _files_are_paths(self) -> Self:
        for key in ("weights", "classifier"):
            path = getattr(self, key) or ""
            if "\0" in path or path != path.encode("utf-8", "replace").decode():
                raise ValueError(
                    f"evaluation.{key}: the path has characters that no configuration file can hold"
                )
        return self


class Config(Section):
    """The whole resolved configuration: the same values start the same run again."""

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    diffusion: DiffusionConfig = DiffusionConfig()
    training: TrainingConfig = TrainingConfig()
    sampling: SamplingConfig = SamplingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    denoising: DenoisingConfig = DenoisingConfig()
    restoration: RestorationConfig = RestorationConfig()
    likelihood: LikelihoodConfig = LikelihoodConfig()

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        depth, size = 2 ** (len(self.model.multipliers) - 1), self.data.shape[1]
        if size % depth:
            raise ValueError(
                f"model.multipliers: {len(self.model.multipliers)} resolutions need an image size "
                f"divisible by {depth}; it is {size}"
            )
        if self.sampling.steps is not None and self.sampling.steps > self.diffusion.timesteps:
            raise ValueError(
                f"sampling.steps: {self.sampling.steps} is above "
                f"diffusion.timesteps {self.diffusion.timesteps}"
            )
        if self.diffusion.zero_terminal_snr and self.sampling.sampler not in WITHOUT_SIGNAL:
            raise ValueError(
                f"sampling.sampler: {self.sampling.sampler} needs some signal at every timestep; with "
                f"diffusion.zero_terminal_snr there is {' and '.join(WITHOUT_SIGNAL)}"
            )
        if self.diffusion.zero_terminal_snr and self.sampling.spacing in ("log_snr", "karras"):
            raise ValueError(
                f"sampling.spacing: {self.sampling.spacing} needs some signal at every timestep; with "
                "diffusion.zero_terminal_snr there is uniform and quadratic"
            )
        _check_objective(self)
        _check_classes(self)
        if self.evaluation.every and not self.diffuses:
            raise ValueError(
                f"evaluation.every: a network that learns to denoise (training.objective "
                f"{self.training.objective}) draws no images to evaluate; it must be 0"
            )
        if (self.restoration.steps or 0) > self.diffusion.timesteps:
            raise ValueError(
                f"restoration.steps: {self.restoration.steps} is above "
                f"diffusion.timesteps {self.diffusion.timesteps}"
            )
        self.likelihood.check(self.diffusion.timesteps, datafiles.splits(self.data.dataset))
        return self

    @property
    def objective(self) -> str:
        """What the network is trained for: `training.objective`, with auto resolved."""
        if self.training.objective != "auto":
            return self.training.objective
        return "hybrid" if self.diffusion.variance == "learned_range" else "simple"

    @property
    def diffuses(self) -> bool:
        """Whether it is a diffusion model, which draws images; else it denoises them."""
        return self.objective in ("simple", "hybrid", "vlb")

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Plain values, section by section; unset values are left out, as TOML has no null."""
        return self.model_dump(mode="json", exclude_none=True)


def _check_objective(config: Config) -> None:
    """ValueError where the objective does not teach what the rest asks for."""
    learned, objective = config.diffusion.variance == "learned_range", config.objective
    if objective == "hybrid" and not learned:
        raise ValueError(
            "training.objective: hybrid learns a variance; with diffusion.variance "
            f"{config.diffusion.variance} take simple"
        )
    if objective == "simple" and learned:
        raise ValueError(
            "training.objective: simple teaches no variance; with diffusion.variance learned_range take "
            "hybrid or vlb"
        )
    if not config.diffuses and learned:
        raise ValueError(
            f"diffusion.variance: a network that learns to denoise (training.objective {objective}) has "
            "none; take fixed_large"
        )
    if config.training.weighting != "none" and objective not in ("simple", "hybrid"):
        raise ValueError(
            f"training.weighting: {config.training.weighting} weighs L_simple, which training.objective "
            f"{objective} has none of; take none"
        )
    if config.training.timesteps == "loss_second_moment" and not config.diffuses:
        raise ValueError("training.timesteps: a network that learns to denoise draws none; take auto")


def _check_classes(config: Config) -> None:
    """ValueError where classes are asked for that the data or the network does not have."""
    classes, sampling = config.model.classes, config.sampling
    if config.data.dataset != "folder" and classes not in (0, CLASSES):
        raise ValueError(
            f"model.classes: {config.data.dataset} has {CLASSES} classes, not {classes} (0: none is told)"
        )
    if config.data.crop and not config.diffuses:
        raise ValueError(
            f"data.crop: a network that learns to denoise (training.objective {config.objective}) would see "
            "a rim without noise; it must be 0"
        )
    if classes and not config.diffuses:
        raise ValueError(
            f"model.classes: a network that learns to denoise (training.objective {config.objective}) is "
            "told of none; it must be 0"
        )
    if sampling.labels and max(sampling.labels) >= classes:
        known = f"0 to {classes - 1}" if classes else "none (model.classes is 0)"
        raise ValueError(f"sampling.labels: there is no class {max(sampling.labels)}; there are {known}")
    if sampling.guidance != 1 and not classes:
        raise ValueError(
            f"sampling.guidance: {sampling.guidance:g} needs a network that is told of classes "
            "(model.classes); without it is 1"
        )
    if sampling.guidance != 1 and not config.training.label_dropout:
        raise ValueError(
            f"sampling.guidance: {sampling.guidance:g} needs a network that knows images without their class "
            "(training.label_dropout above 0)"
        )
