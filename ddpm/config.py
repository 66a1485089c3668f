"""The configuration of a run: ten small models that say what every value may be.

The form in the app, `--set`, the TOML files and their error messages all come from these models.
No torch here: describing a run must stay cheap.
"""

from __future__ import annotations

import math
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from ddpm import averages, datafiles
from ddpm.config_likelihood import LikelihoodConfig
from ddpm.config_model import ModelConfig
from ddpm.config_restoration import DenoisingConfig, RestorationConfig
from ddpm.config_sampling import IN_SIGMA_SPACE, WITHOUT_SIGNAL, SamplingConfig
from ddpm.config_section import Section
from ddpm.config_training import TrainingConfig

__all__ = [  # from here as well
    "DenoisingConfig",
    "LikelihoodConfig",
    "ModelConfig",
    "RestorationConfig",
    "SamplingConfig",
    "Section",
    "TrainingConfig",
]

#: What a network is trained to say of x_t: the noise, the image, or the velocity between them.
Prediction = Literal["epsilon", "x0", "v"]
#: Of a step back: beta, beta-tilde, or learned between the two.
Variance = Literal["fixed_large", "fixed_small", "learned_range"]
Dataset = Literal["mnist", "fashion-mnist", "cifar10", "digits", "folder"]

#: Logarithm of alpha-bar below which x / alpha nears the end of float32.
LEAST_LOG_ALPHA_BAR = -140.0

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
    augment: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="Chance of each of several moves (turns, stretches, shifts), told to the network, "
        "so that samples show none (Karras et al. 2022: 0.12); above 0 half of the images are mirrored too",
    )

    @model_validator(mode="after")
    def _moved_one_way(self) -> Self:
        for key in ("flip", "crop"):
            if self.augment and getattr(self, key):
                raise ValueError(
                    f"data.{key}: data.augment does so already, and tells the network; leave it out"
                )
        return self

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

    def log_alpha_bar(self) -> float:
        """About the logarithm of what is left of an image's power at the last timestep."""
        power = {"linear": 1, "scaled_linear": 2}.get(self.schedule)
        if power is None:
            return -24.0  # cosine and sigmoid end near there, however long they are
        start, end = self.beta_start ** (1 / power), self.beta_end ** (1 / power)
        betas = ((start + (end - start) * (i + 0.5) / 200) ** power for i in range(200))
        return self.timesteps / 200 * sum(math.log1p(-beta) for beta in betas)

    @model_validator(mode="after")
    def _betas_grow(self) -> Self:
        if self.schedule in ("linear", "scaled_linear") and self.beta_start > self.beta_end:
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
        patch = self.model.patch
        if size % patch:
            raise ValueError(f"model.patch: an image size of {size} is not divisible by {patch}")
        if size % (depth * patch):
            patches = f" and patches of {patch} pixels" if patch > 1 else ""
            raise ValueError(
                f"model.multipliers: {len(self.model.multipliers)} resolutions{patches} need an image size "
                f"divisible by {depth * patch}; it is {size}"
            )
        if self.sampling.steps is not None and self.sampling.steps > self.diffusion.timesteps:
            raise ValueError(
                f"sampling.steps: {self.sampling.steps} is above "
                f"diffusion.timesteps {self.diffusion.timesteps}"
            )
        if self.diffusion.zero_terminal_snr and self.sampling.sampler not in WITHOUT_SIGNAL:
            raise ValueError(
                f"sampling.sampler: {self.sampling.sampler} needs some signal at every timestep; with "
                f"diffusion.zero_terminal_snr there is {' or '.join(WITHOUT_SIGNAL)}"
            )
        if self.diffusion.zero_terminal_snr and self.sampling.spacing in ("log_snr", "karras"):
            raise ValueError(
                f"sampling.spacing: {self.sampling.spacing} needs some signal at every timestep; with "
                "diffusion.zero_terminal_snr there is uniform or quadratic"
            )
        _check_reach(self)
        _check_heads(self)
        averages.check(self.training, self.sampling)
        _check_objective(self)
        _check_consistency(self)
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
        return self.objective in ("simple", "hybrid", "vlb", "consistency")

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Plain values, section by section; unset values are left out, as TOML has no null."""
        return self.model_dump(mode="json", exclude_none=True)


def _check_reach(config: Config) -> None:
    """Float32 holds what sigma-space needs: x / alpha of every timestep visited."""
    sampling = config.sampling
    if sampling.sampler not in IN_SIGMA_SPACE or sampling.spacing not in ("uniform", "quadratic"):
        return
    left = config.diffusion.log_alpha_bar()
    if left < LEAST_LOG_ALPHA_BAR:
        raise ValueError(
            f"sampling.sampler: {sampling.sampler} divides by what is left of an image at the last timestep, "
            f"with these betas 10^{left / 2 / math.log(10):.0f} of it; sampling.spacing log_snr and karras "
            "begin where more is"
        )


def _check_heads(config: Config) -> None:
    """ValueError where an attention block's channels are no whole number of heads."""
    model, size = config.model, config.data.shape[1] // config.model.patch
    attended = [m for i, m in enumerate(model.multipliers) if size // 2**i in model.attention]
    for multiplier in (*attended, model.multipliers[-1]) if model.head_channels else ():
        if (width := model.channels * multiplier) % model.head_channels:
            raise ValueError(
                f"model.head_channels: {model.head_channels} does not divide the {width} channels of an "
                "attention block"
            )


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


#: Of a tuning that no training was named for.
NOT_FROM_ANOTHER = (
    "training.objective: consistency tunes a trained diffusion model: say which, as "
    "--from RUN, or W on the run in the app"
)


def _check_consistency(config: Config) -> None:
    """ValueError where a network tuned to draw in few steps is to draw otherwise, or another one so."""
    sampling, tuned = config.sampling, config.objective == "consistency"
    if tuned and sampling.sampler != "consistency":
        raise ValueError(
            f"sampling.sampler: {sampling.sampler} takes small steps, which training.objective consistency "
            "unlearns; take consistency"
        )
    if not tuned and sampling.sampler == "consistency":
        raise ValueError(
            "sampling.sampler: consistency needs a network that was tuned for it (training.objective "
            "consistency)"
        )
    if tuned and config.diffusion.prediction == "epsilon":
        raise ValueError(
            "diffusion.prediction: consistency tuning needs a network that predicts v or x0: where there is "
            "much noise, an image is a small difference of what epsilon says"
        )
    if tuned and config.training.timesteps == "loss_second_moment":
        raise ValueError("training.timesteps: consistency tuning has a law of its own; take auto")
    if tuned and sampling.spacing != "uniform":
        raise ValueError("sampling.spacing: consistency chooses its few timesteps itself; leave it uniform")
    if tuned and sampling.guidance != 1:
        raise ValueError("sampling.guidance: a consistency-tuned network takes none; it must be 1")
    if tuned and sampling.guidance_step is not None:
        raise ValueError("sampling.guidance_step: a consistency-tuned network takes none; leave it unset")


def _check_classes(config: Config) -> None:
    """ValueError where classes are asked for that the data or the network does not have."""
    classes, sampling = config.model.classes, config.sampling
    if config.data.dataset != "folder" and classes not in (0, CLASSES):
        raise ValueError(
            f"model.classes: {config.data.dataset} has {CLASSES} classes, not {classes} (0: none is told)"
        )
    if config.data.augment and not config.diffuses:
        raise ValueError(
            f"data.augment: a network that learns to denoise (training.objective {config.objective}) is told "
            "of no moves; it must be 0"
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
    if sampling.labels and not classes:
        raise ValueError("sampling.labels: the network is told of no classes (model.classes is 0)")
    if sampling.labels and max(sampling.labels) >= classes:
        known = f"there are 0 to {classes - 1}"
        raise ValueError(f"sampling.labels: there is no class {max(sampling.labels)}; {known}")
    if sampling.guidance != 1:
        _check_guidance(config)


def _check_guidance(config: Config) -> None:
    """ValueError where the network says nothing that guidance could lead away from."""
    classes, sampling = config.model.classes, config.sampling
    by_step = sampling.guide is not None
    if by_step and not (classes and sampling.guidance_class):
        return
    if not classes:
        raise ValueError(
            f"sampling.guidance: {sampling.guidance:g} needs a network that is told of classes "
            "(model.classes), or an earlier step to be guided by (guidance_step); without it is 1"
        )
    if not config.training.label_dropout:
        other = "or guidance_class=false" if by_step else "or an earlier step to be guided by (guidance_step)"
        raise ValueError(
            f"sampling.guidance: {sampling.guidance:g} needs a network that knows images without their class "
            f"(training.label_dropout above 0), {other}"
        )
