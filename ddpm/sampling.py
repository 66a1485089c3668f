"""From a network to images: the sampler that a configuration names, drawing numbered images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from ddpm import schedules
from ddpm.config import Config, SamplingConfig
from ddpm.diffusion import split, x0_of
from ddpm.randomness import normal
from ddpm.samplers.ddim import ddim
from ddpm.samplers.ddpm import ddpm
from ddpm.samplers.dpmpp import dpmpp
from ddpm.samplers.ipndm import ipndm
from ddpm.samplers.levels import Level, levels, time_grid
from ddpm.samplers.sigma import euler, heun
from ddpm.samplers.steps import Denoised, Denoiser, Noise, SampleStep
from ddpm.samplers.unipc import unipc

#: Those without options, which solve the probability flow from x_T.
SOLVERS: dict[str, Callable[[Denoiser, Sequence[Level], Noise], Iterator[SampleStep]]] = {
    "euler": euler,
    "heun": heun,
    "dpmpp-2m": partial(dpmpp, order=2),
    "dpmpp-3m": partial(dpmpp, order=3),
    "unipc": unipc,
    "ipndm": ipndm,
}


def draw(
    network: nn.Module, config: Config, images: range, *, precision: torch.dtype = torch.float32
) -> Iterator[SampleStep]:
    """Draws the images numbered `images` of `config.sampling.seed`, step by step.

    Image i is the same, to float rounding, whatever else is in `images`. The network is in eval mode and
    on the device to work on; x_t and x_0 are float32 (len(images), C, H, W) there.
    """
    device = next(network.parameters()).device
    numbers = torch.arange(images.start, images.stop, device=device)

    def noise(number: int) -> Tensor:
        return normal(config.sampling.seed, numbers, number, config.data.shape)

    yield from draw_with(noise, network, config, precision=precision)


def draw_with(
    noise: Noise, network: nn.Module, config: Config, *, precision: torch.dtype = torch.float32
) -> Iterator[SampleStep]:
    """The same of any noise, float32 (N, C, H, W) a draw: so that images of several seeds are one batch."""
    sampling, schedule = config.sampling, schedules.make(config.diffusion)
    denoise = NetworkDenoiser(network, config, clip=sampling.clip, precision=precision)
    steps = sampling.resolved_steps(schedule.timesteps)
    way = levels(schedule, time_grid(schedule, steps, sampling.spacing, sampling.rho))
    if sampling.sampler == "ddpm":
        yield from ddpm(denoise, way, noise, variance=config.diffusion.variance)
    elif sampling.sampler == "ddim":
        yield from ddim(denoise, way, noise, eta=sampling.eta)
    else:
        yield from SOLVERS[sampling.sampler](denoise, way, noise)


class NetworkDenoiser:
    """What a diffusion network in eval mode says of images (N, C, H, W) at one timestep, without gradients.

    clip: the images predicted are cut to [-1, 1], where images lie (Ho et al. 2020, released code).
    `evaluations` counts how often the network was asked.
    """

    def __init__(
        self, network: nn.Module, config: Config, *, clip: bool = True, precision: torch.dtype = torch.float32
    ) -> None:
        self._ask = evaluator(network, precision)
        self._prediction, self._clip = config.diffusion.prediction, clip
        self._learned = config.diffusion.variance == "learned_range"
        self._alpha_bars: list[float] = schedules.make(config.diffusion).alphas_cumprod.tolist()
        self.evaluations = 0

    def __call__(self, x: Tensor, time: int) -> Denoised:
        self.evaluations += 1
        said, fraction = split(self._ask(x, time), self._learned)
        x_0 = x0_of(self._prediction, x, said, self._alpha_bars[time])
        if fraction is not None:
            fraction = fraction.clamp(0, 1)
        return Denoised(x_0.clamp(-1, 1) if self._clip else x_0, fraction)


def evaluator(network: nn.Module, precision: torch.dtype = torch.float32) -> Callable[[Tensor, int], Tensor]:
    """The plain output of a network in eval mode for (N, C, H, W) at one timestep, without gradients."""
    device = next(network.parameters()).device

    @torch.no_grad()
    def ask(x: Tensor, time: int) -> Tensor:
        times = torch.full((len(x),), time, device=device)
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == torch.bfloat16):
            return network(x, times)

    return ask


def batches(sampling: SamplingConfig, count: int) -> list[range]:
    """The numbers 0 … count-1 in ranges of at most batch_size."""
    size = sampling.batch_size
    return [range(i, min(i + size, count)) for i in range(0, count, size)]
