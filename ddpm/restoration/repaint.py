"""RePaint (Lugmayr et al. 2022): inpainting by resampling, the baseline beside `ddrm`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ddpm.diffusion import q_sample
from ddpm.samplers.steps import Denoiser, Noise, SampleStep
from ddpm.schedules import Schedule


def repaint(
    denoise: Denoiser,
    schedule: Schedule,
    times: Sequence[int],
    noise: Noise,
    seen: Tensor,
    known: Tensor,
    *,
    resamplings: int = 10,
) -> Iterator[SampleStep]:
    """Fills what is not seen, step by step over the descending `times` (algorithm 1, jump length 1).

    seen: bool, broadcasting to (N,C,H,W); known: the image where it is seen, in [-1, 1]. Each step but the
    last is taken `resamplings` times, going back by the forward process in between, so that the filled part
    grows together with the seen one: (len(times) - 1) · resamplings + 1 evaluations of `denoise`. For
    measurements without noise: what is seen is taken as it is.
    """
    total = (len(times) - 1) * resamplings + 1
    x, draw, index = noise(0), 1, 0
    for i, time in enumerate(times):
        last = i + 1 == len(times)
        alpha_bar = float(schedule.alphas_cumprod[time])
        previous = 1.0 if last else float(schedule.alphas_cumprod[times[i + 1]])
        for again in range(1 if last else resamplings):
            if again:
                beta = 1 - alpha_bar / previous
                x = q_sample(x, noise(draw), 1 - beta)  # one step of the forward process back up
                draw += 1
            x_0 = denoise(x, time).x_0
            filled = _reverse(x, x_0, alpha_bar, previous, noise(draw))
            x = torch.where(seen, q_sample(known, noise(draw + 1), previous), filled)
            draw, index = draw + 2, index + 1
            yield SampleStep(index, total, time, x, torch.where(seen, known, x_0))


def _reverse(x: Tensor, x_0: Tensor, alpha_bar: float, previous: float, noise: Tensor) -> Tensor:
    """A step of ancestral sampling with the posterior's variance (Ho et al. 2020, eq. 6, 7)."""
    beta = 1 - alpha_bar / previous
    mean = previous**0.5 * beta / (1 - alpha_bar) * x_0
    mean = mean + (alpha_bar / previous) ** 0.5 * (1 - previous) / (1 - alpha_bar) * x
    return mean + ((1 - previous) / (1 - alpha_bar) * beta) ** 0.5 * noise
