"""Denoising diffusion implicit models (Song, Meng & Ermon 2021, eq. 12)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ddpm.diffusion import predict_epsilon, predict_x0
from ddpm.samplers.steps import Denoiser, Noise, SampleStep, clipped
from ddpm.schedules import Schedule


def ddim(
    denoise: Denoiser,
    schedule: Schedule,
    times: Sequence[int],
    noise: Noise,
    *,
    eta: float = 0.0,
    clip: bool = True,
) -> Iterator[SampleStep]:
    """Draws images step by step over the descending `times`; one evaluation of `denoise` each.

    eta scales the noise of a step (eq. 16): 0 is deterministic given x_T, 1 is ancestral sampling with
    the posterior's variance.
    """
    x = noise(0)
    for i, time in enumerate(times):
        alpha_bar = float(schedule.alphas_cumprod[time])
        previous = float(schedule.alphas_cumprod[times[i + 1]]) if i + 1 < len(times) else 1.0
        x_0 = clipped(predict_x0(x, denoise(x, time), alpha_bar), clip)
        epsilon = predict_epsilon(x, x_0, alpha_bar)
        sigma = eta * ((1 - previous) / (1 - alpha_bar) * (1 - alpha_bar / previous)) ** 0.5
        x = previous**0.5 * x_0 + max(0.0, 1 - previous - sigma**2) ** 0.5 * epsilon  # rounding may pass 0
        if sigma > 0:
            x = x + sigma * noise(i + 1)
        yield SampleStep(i + 1, len(times), time, x, x_0)
