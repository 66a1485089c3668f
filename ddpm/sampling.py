"""From a network to images: the sampler that a configuration names, drawing numbered images."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ddpm import schedules
from ddpm.config import Config, SamplingConfig
from ddpm.randomness import normal
from ddpm.samplers.ddim import ddim
from ddpm.samplers.ddpm import ddpm
from ddpm.samplers.steps import Denoiser, Noise, SampleStep, time_grid


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
    denoise = denoiser(network, precision)
    times = time_grid(schedule.timesteps, sampling.resolved_steps(schedule.timesteps), sampling.spacing)
    if sampling.sampler == "ddpm":
        yield from ddpm(denoise, schedule, times, noise, variance=config.diffusion.variance)
    else:
        yield from ddim(denoise, schedule, times, noise, eta=sampling.eta)


def denoiser(network: nn.Module, precision: torch.dtype = torch.float32) -> Denoiser:
    """What a network in eval mode says of images (N,C,H,W) at one timestep, without gradients."""
    device = next(network.parameters()).device

    @torch.no_grad()
    def denoise(x: Tensor, time: int) -> Tensor:
        times = torch.full((len(x),), time, device=device)
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == torch.bfloat16):
            return network(x, times)

    return denoise


def batches(sampling: SamplingConfig, count: int) -> list[range]:
    """The numbers 0 … count-1 in ranges of at most batch_size."""
    size = sampling.batch_size
    return [range(i, min(i + size, count)) for i in range(0, count, size)]
