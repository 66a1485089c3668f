"""From a network and measurements to restored images: the method that a configuration names."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ddpm import schedules
from ddpm.config import Config
from ddpm.errors import EngineError
from ddpm.randomness import derive, normal
from ddpm.restoration.ddrm import ddrm, posterior
from ddpm.restoration.degradation import Degradation
from ddpm.restoration.observation import ROUNDING, Observation, restoring_times
from ddpm.restoration.repaint import repaint
from ddpm.restoration.tiles import tiled
from ddpm.samplers.levels import time_grid
from ddpm.samplers.steps import Denoised, Denoiser, Noise, SampleStep
from ddpm.sampling import NetworkDenoiser, evaluator


def restore(
    network: nn.Module,
    config: Config,
    degradation: Degradation,
    measurement: Tensor,
    sigma: float,
    numbers: Tensor,
    *,
    precision: torch.dtype = torch.float32,
) -> Iterator[SampleStep]:
    """Restores measurements (N, *measured) of images in [-1, 1], step by step, as [restoration] says.

    sigma: the noise in the same unit (twice the share of the range from black to white), one for all, as it
    decides the timesteps; at least that of rounding is reckoned with. numbers: int64 (N,) in 0 … 2^32-1,
    which restoration of the seed each one is: it does not depend on what else is restored. The network is
    in eval mode on the device of the measurement; it sees images larger than its own as overlapping tiles
    (`degradation.shape` is at least the network's size). x_t and x_0 are (N,C,H,W); the last x_t, cut to
    [-1, 1], is the result. A run that learned to denoise (`training.objective`) does so in one step. Raises
    EngineError where it is to do anything else.
    """
    restoration, schedule = config.restoration, schedules.make(config.diffusion)
    denoise = tiled(
        _denoiser(network, config, precision), config.data.shape[1], batch_size=restoration.batch_size
    )
    check_task(config)
    if not config.diffuses:
        clean = denoise(measurement, 0).x_0
        yield SampleStep(1, 1, 0, clean, clean)
        return
    steps = restoration.resolved_steps(schedule.timesteps)
    noise = _noise(restoration.seed, numbers, degradation.shape)
    observed = Observation.of(degradation, measurement, max(sigma, ROUNDING))
    if restoration.method == "repaint":
        seen = degradation.singulars.to(measurement) > 0
        times = time_grid(schedule, steps, restoration.spacing)
        yield from repaint(denoise, schedule, times, noise, seen, measurement)
        return
    times = restoring_times(schedule, observed, steps, restoration.spacing)
    if restoration.method == "ddrm":
        yield from ddrm(
            denoise, schedule, times, noise, degradation, observed,
            eta=restoration.eta, eta_b=restoration.eta_b,eta_unseen=restoration.eta_unseen,
        )  # fmt: skip
    else:
        yield from posterior(
            denoise, schedule, times, noise, degradation, observed, eta=restoration.eta_unseen
        )


def _denoiser(network: nn.Module, config: Config, precision: torch.dtype) -> Denoiser:
    """Of a diffusion model, or of a network that learned to denoise and knows no timestep."""
    if config.diffuses:
        return NetworkDenoiser(network, config, precision=precision)
    ask = evaluator(network, precision)
    return lambda x, time: Denoised(ask(x, time, None))


def check_task(config: Config) -> None:
    """EngineError where a network is asked for what only a diffusion model can restore."""
    task = config.restoration.task
    if config.objective == "consistency":
        raise EngineError(
            "restoration.task: this run was tuned to draw in few steps (training.objective consistency); "
            "take the run that it was tuned from"
        )
    if not config.diffuses and task != "denoise":
        raise EngineError(
            f"restoration.task: this run learned to denoise ({config.objective}); {task} needs a diffusion "
            "model"
        )


def evaluations(config: Config) -> int:
    """Steps that `restore` takes at most."""
    if not config.diffuses:
        return 1
    steps = config.restoration.resolved_steps(config.diffusion.timesteps)
    return (steps - 1) * 10 + 1 if config.restoration.method == "repaint" else steps


def _noise(seed: int, numbers: Tensor, shape: tuple[int, int, int]) -> Noise:
    own = derive(seed, "restore")
    return lambda draw: normal(own, numbers, draw, shape)
