"""iPNDM (Zhang & Chen 2023; after Liu et al. 2022): DDIM's step with the noise that its past foretells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from torch import Tensor

from ddpm.diffusion import predict_epsilon
from ddpm.samplers.levels import Level
from ddpm.samplers.steps import Denoiser, Noise, SampleStep

#: Adams-Bashforth of one to four values, the newest first.
_WEIGHTS = ((1.0,), (3 / 2, -1 / 2), (23 / 12, -16 / 12, 5 / 12), (55 / 24, -59 / 24, 37 / 24, -9 / 24))


def ipndm(denoise: Denoiser, levels: Sequence[Level], noise: Noise) -> Iterator[SampleStep]:
    """Draws images step by step down the `levels`; one evaluation of `denoise` each.

    The coefficients are those of equal steps: fourth order where sigma/alpha falls evenly (with accurate
    first values), second where the steps change smoothly.
    """
    x, total = noise(0), len(levels) - 1
    past: list[Tensor] = []
    for i, (now, below) in enumerate(pairwise(levels)):
        x_0 = denoise(x, now.time).x_0
        past = [predict_epsilon(x, x_0, now.alpha_bar), *past[:3]]
        weights = _WEIGHTS[len(past) - 1]
        epsilon = sum((w * e for w, e in zip(weights, past, strict=True)), start=0 * x)
        x = below.alpha / now.alpha * (x - now.sigma * epsilon) + below.sigma * epsilon
        yield SampleStep(i + 1, total, now.time, x, x_0)
