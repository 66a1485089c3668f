"""From a network to images: the sampler that a configuration names, drawing numbered images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn

from ddpm import devices, portions, schedules
from ddpm.config import Config, SamplingConfig
from ddpm.config_sampling import WITH_NOISE
from ddpm.diffusion import split, x0_of
from ddpm.errors import EngineError
from ddpm.randomness import normal
from ddpm.samplers.consistency import consistency, consistency_times
from ddpm.samplers.ddim import ddim
from ddpm.samplers.ddpm import ddpm
from ddpm.samplers.dpmpp import dpmpp
from ddpm.samplers.ipndm import ipndm
from ddpm.samplers.levels import levels, time_grid
from ddpm.samplers.sigma import euler, heun
from ddpm.samplers.steps import Denoised, Noise, SampleStep
from ddpm.samplers.unipc import unipc

#: Those that solve the probability flow from x_T; those of WITH_NOISE take `eta`, with which they do not.
SOLVERS: dict[str, Callable[..., Iterator[SampleStep]]] = {
    "ddim": ddim,
    "euler": euler,
    "heun": heun,
    "dpmpp-2m": partial(dpmpp, order=2),
    "dpmpp-3m": partial(dpmpp, order=3),
    "unipc": unipc,
    "ipndm": ipndm,
}


def draw(
    network: nn.Module,
    config: Config,
    images: range,
    *,
    guide: nn.Module | None = None,
    precision: torch.dtype = torch.float32,
) -> Iterator[SampleStep]:
    """Draws the images numbered `images` of `config.sampling.seed`, step by step.

    Image i is the same, to float rounding, whatever else is in `images`. The network, and the `guide` that
    `sampling.guidance_step` asks for, are in eval mode and on the device to work on; x_t and x_0 are float32
    (len(images), C, H, W) there.
    """
    device = next(network.parameters()).device
    numbers = torch.arange(images.start, images.stop, device=device)

    def noise(number: int) -> Tensor:
        return normal(config.sampling.seed, numbers, number, config.data.shape)

    labels = labels_of(config, numbers)
    yield from draw_with(noise, network, config, labels=labels, guide=guide, precision=precision)


def check_finite(x: Tensor, config: Config) -> None:
    """EngineError where images that were drawn are not numbers: as pixels they would pass for black."""
    if not x.isfinite().all():
        sampling, steps = config.sampling, config.sampling.resolved_steps(config.diffusion.timesteps)
        raise EngineError(
            f"the images that {sampling.sampler} drew in {steps} steps are not finite numbers: the network's "
            "weights, or what the noise schedule leaves of an image, are too extreme"
        )


def labels_of(config: Config, numbers: Tensor) -> Tensor | None:
    """The classes of the images numbered `numbers` (N,), in turn: int64 (N,); None where there are none."""
    if not config.model.classes:
        return None
    wanted = config.sampling.labels or range(config.model.classes)
    return torch.tensor(list(wanted), device=numbers.device)[numbers % len(wanted)]


def draw_with(
    noise: Noise,
    network: nn.Module,
    config: Config,
    *,
    labels: Tensor | None = None,
    guide: nn.Module | None = None,
    precision: torch.dtype = torch.float32,
) -> Iterator[SampleStep]:
    """The same of any noise, float32 (N, C, H, W) a draw: so that images of several seeds are one batch.

    labels: int64 (N,), their classes.
    """
    sampling, schedule = config.sampling, schedules.make(config.diffusion)
    if sampling.guide is not None and guide is None:
        raise ValueError("sampling.guidance_step: there is no guide")
    denoise = NetworkDenoiser(
        network, config, labels=labels, guide=guide, clip=sampling.clip, precision=precision
    )
    steps = sampling.resolved_steps(schedule.timesteps)
    if sampling.sampler == "consistency":
        yield from consistency(denoise, levels(schedule, consistency_times(schedule, steps)), noise)
        return
    way = levels(schedule, time_grid(schedule, steps, sampling.spacing, sampling.rho))
    if sampling.sampler == "ddpm":
        yield from ddpm(denoise, way, noise, variance=config.diffusion.variance)
    else:
        options = {"eta": sampling.eta} if sampling.sampler in WITH_NOISE else {}
        yield from SOLVERS[sampling.sampler](denoise, way, noise, **options)


class NetworkDenoiser:
    """What a diffusion network in eval mode says of images (N, C, H, W) at one timestep, without gradients.

    labels: int64 (N,), their classes; None: no class is told.
    guide: an earlier state of the network, away from which it is guided (autoguidance: Karras et al. 2024,
    "Guiding a Diffusion Model with a Bad Version of Itself", eq. 3), which is told the classes or, to be
    guided towards them too, is not; None: away from what it says itself without the classes, if it is told
    of any (classifier-free guidance: Ho & Salimans 2022, eq. 6). How much says [sampling], and at which
    timesteps (Kynkäänniemi et al. 2024).
    clip: the images predicted are cut to [-1, 1], where images lie (Ho et al. 2020, released code).
    `evaluations` counts how often a network was asked.
    """

    def __init__(
        self,
        network: nn.Module,
        config: Config,
        *,
        labels: Tensor | None = None,
        guide: nn.Module | None = None,
        clip: bool = True,
        precision: torch.dtype = torch.float32,
    ) -> None:
        self._ask = evaluator(network, precision)
        self._prediction, self._clip = config.diffusion.prediction, clip
        self._labels, self._scale = labels, config.sampling.guidance
        self._worse: Callable[[Tensor, int], Tensor] | None = None  # what it is guided away from
        if guide is not None:
            ask_guide = evaluator(guide, precision)
            told = None if config.sampling.guidance_class else labels
            self._worse = lambda x, time: ask_guide(x, time, told)
        elif labels is not None:
            self._worse = lambda x, time: self._ask(x, time, None)
        last = config.diffusion.timesteps - 1
        self._guided = (config.sampling.guidance_from * last, config.sampling.guidance_to * last)
        self._learned = config.diffusion.variance == "learned_range"
        self._alpha_bars: list[float] = schedules.make(config.diffusion).alphas_cumprod.tolist()
        self.evaluations = 0

    def __call__(self, x: Tensor, time: int) -> Denoised:
        self.evaluations += 1
        said, fraction = split(self._ask(x, time, self._labels), self._learned)
        if self._worse is not None and self._scale != 1 and self._guided[0] <= time <= self._guided[1]:
            self.evaluations += 1
            worse, _ = split(self._worse(x, time), self._learned)
            said = worse + self._scale * (said - worse)
        x_0 = x0_of(self._prediction, x, said, self._alpha_bars[time])
        if fraction is not None:
            fraction = fraction.clamp(0, 1)
        return Denoised(x_0.clamp(-1, 1) if self._clip else x_0, fraction)


def evaluator(
    network: nn.Module, precision: torch.dtype = torch.float32
) -> Callable[[Tensor, int, Tensor | None], Tensor]:
    """The plain output of a network in eval mode for (N, C, H, W) at one timestep, without gradients.

    The last argument are the classes, int64 (N,), or None. In portions where memory asks for it.
    """
    device = next(network.parameters()).device

    @torch.no_grad()
    def ask(x: Tensor, time: int, labels: Tensor | None) -> Tensor:
        times = torch.full((len(x),), time, device=device)
        with devices.arithmetic(precision, device):
            return portions.ask(network, network, x, times, *([] if labels is None else [labels]))

    return ask


def batches(sampling: SamplingConfig, count: int) -> list[range]:
    """The numbers 0 … count-1 in ranges of at most batch_size."""
    size = sampling.batch_size
    return [range(i, min(i + size, count)) for i in range(0, count, size)]
