"""Ancestral sampling (Ho et al. 2020, algorithm 2), strided as in Nichol & Dhariwal 2021, section 4."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from ddpm.diffusion import predict_x0
from ddpm.samplers.steps import Denoiser, Noise, SampleStep, clipped
from ddpm.schedules import Schedule


def ddpm(
    denoise: Denoiser,
    schedule: Schedule,
    times: Sequence[int],
    noise: Noise,
    *,
    variance: Literal["fixed_large", "fixed_small"] = "fixed_large",
    clip: bool = True,
) -> Iterator[SampleStep]:
    """Draws images step by step over the descending `times`; one evaluation of `denoise` each.

    The variance of a reverse step is beta (fixed_large) or the posterior's (fixed_small), both of the
    process that visits `times` alone; the last step adds no noise.
    """
    x = noise(0)
    for i, time in enumerate(times):
        alpha_bar = float(schedule.alphas_cumprod[time])
        previous = float(schedule.alphas_cumprod[times[i + 1]]) if i + 1 < len(times) else 1.0
        beta = 1 - alpha_bar / previous
        x_0 = clipped(predict_x0(x, denoise(x, time), alpha_bar), clip)
        # Posterior of the step before, given x_t and x_0 (eq. 7).
        mean = previous**0.5 * beta / (1 - alpha_bar) * x_0
        mean = mean + (alpha_bar / previous) ** 0.5 * (1 - previous) / (1 - alpha_bar) * x
        small = (1 - previous) / (1 - alpha_bar) * beta
        if i + 1 < len(times):
            x = mean + (beta if variance == "fixed_large" else small) ** 0.5 * noise(i + 1)
        else:
            x = mean
        yield SampleStep(i + 1, len(times), time, x, x_0)
