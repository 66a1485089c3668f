"""The same network on the same timesteps, step by step beside diffusers' schedulers."""

from __future__ import annotations

import diffusers
import pytest
import torch
from torch import Tensor

from ddpm import schedules
from ddpm.config import DiffusionConfig
from ddpm.diffusion import predict_x0
from ddpm.samplers.ddim import ddim
from ddpm.samplers.ddpm import ddpm
from ddpm.samplers.dpmpp import dpmpp
from ddpm.samplers.levels import levels, time_grid
from ddpm.samplers.steps import Denoised, Noise, SampleStep
from ddpm.samplers.unipc import unipc

SCHEDULE = schedules.make(DiffusionConfig())
BETAS = {"beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear", "num_train_timesteps": 1000}
SHAPE = (3, 1, 6, 6)


def says(x: Tensor, time: int) -> Tensor:
    """A smooth network that predicts noise, in the precision of its input."""
    return torch.sin(1.3 * x + time / 300) * 0.7 + 0.2 * x


def denoise(x: Tensor, time: int) -> Denoised:
    return Denoised(predict_x0(x, says(x, time), float(SCHEDULE.alphas_cumprod[time])))


def start() -> Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def no_noise(draw: int) -> Tensor:
    return start() if draw == 0 else torch.zeros(SHAPE, dtype=torch.float64)


def theirs(scheduler: object, **more: object) -> tuple[list[int], list[Tensor]]:
    """The timesteps that a scheduler visits, and x_t after each."""
    x, states = start(), []
    times = [int(t) for t in scheduler.timesteps]  # type: ignore[attr-defined]
    for time in times:
        x = scheduler.step(says(x, time), time, x, **more).prev_sample  # type: ignore[attr-defined]
        states.append(x)
    return times, states


def shared_noise(patch: pytest.MonkeyPatch, module: str) -> Noise:
    """What the schedulers of a module draw from now on, for ours: the k-th of theirs is our draw k."""
    drawn: list[Tensor] = []

    def fresh(shape: object, **_: object) -> Tensor:
        generator = torch.Generator().manual_seed(len(drawn) + 1)
        drawn.append(torch.randn(SHAPE, generator=generator, dtype=torch.float64))
        return drawn[-1]

    patch.setattr(f"diffusers.schedulers.{module}.randn_tensor", fresh)
    return lambda draw: start() if draw == 0 else drawn[draw - 1]


def assert_alike(ours: list[SampleStep], states: list[Tensor]) -> None:
    """To float32, in which the schedulers keep their tables."""
    assert len(ours) == len(states)
    for step, state in zip(ours, states, strict=True):
        assert torch.allclose(step.x_t, state, rtol=1e-3, atol=1e-4), f"step {step.index}"


@pytest.mark.parametrize("steps", [5, 20, 50])
def test_ddim(steps: int) -> None:
    peer = diffusers.DDIMScheduler(**BETAS, clip_sample=False, timestep_spacing="trailing")
    peer.set_timesteps(steps)
    times, states = theirs(peer)
    assert_alike(list(ddim(denoise, levels(SCHEDULE, times), no_noise)), states)


@pytest.mark.parametrize("variance", ["fixed_large", "fixed_small"])
def test_ddpm(variance: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the noise that they draw handed to both. On a grid that ends at 0: at any other last timestep
    they would add noise to the final image."""
    peer = diffusers.DDPMScheduler(**BETAS, clip_sample=False, variance_type=variance)
    peer.set_timesteps(timesteps=time_grid(SCHEDULE, 20, "uniform"))
    noise = shared_noise(monkeypatch, "scheduling_ddpm")
    times, states = theirs(peer)
    assert_alike(list(ddpm(denoise, levels(SCHEDULE, times), noise, variance=variance)), states)  # type: ignore[arg-type]


@pytest.mark.parametrize("steps", [5, 14, 20])
def test_dpm_solver_of_second_order(steps: int) -> None:
    """Their third order differs from ours: it counts the quadratic term half, and is of second order."""
    peer = diffusers.DPMSolverMultistepScheduler(**BETAS, solver_order=2, final_sigmas_type="zero")
    peer.set_timesteps(steps)
    times, states = theirs(peer)
    assert_alike(list(dpmpp(denoise, levels(SCHEDULE, times), no_noise, order=2)), states)


@pytest.mark.parametrize("steps", [5, 14, 20])
def test_dpm_solver_with_noise(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """SDE-DPM-Solver++, with the noise that they draw handed to both."""
    peer = diffusers.DPMSolverMultistepScheduler(
        **BETAS, algorithm_type="sde-dpmsolver++", solver_order=2, final_sigmas_type="zero"
    )
    peer.set_timesteps(steps)
    noise = shared_noise(monkeypatch, "scheduling_dpmsolver_multistep")
    times, states = theirs(peer)
    assert_alike(list(dpmpp(denoise, levels(SCHEDULE, times), noise, order=2, eta=1.0)), states)


@pytest.mark.parametrize("steps", [5, 14, 20])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_unipc(steps: int, order: int) -> None:
    peer = diffusers.UniPCMultistepScheduler(**BETAS, solver_order=order, final_sigmas_type="zero")
    peer.set_timesteps(steps)
    times, states = theirs(peer)
    assert_alike(list(unipc(denoise, levels(SCHEDULE, times), no_noise, order=order)), states)
