"""DPM-Solver++ and SDE-DPM-Solver++ (Lu et al. 2022): multistep, of the image predicted, else exact."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal

from torch import Tensor

from ddpm.samplers.levels import Level
from ddpm.samplers.steps import Denoiser, Noise, SampleStep

#: Below this many steps the last ones are of lower order, as in the paper's released code.
FEW = 15

#: (lambda, x_0 predicted there), the newest first.
Past = Sequence[tuple[float, Tensor]]


def dpmpp(
    denoise: Denoiser,
    levels: Sequence[Level],
    noise: Noise,
    *,
    order: Literal[2, 3] = 2,
    eta: float = 0.0,
) -> Iterator[SampleStep]:
    """Draws images step by step down the `levels`; one evaluation of `denoise` each.

    eta: 0 solves the probability flow, 1 the reverse process with its noise (SDE-DPM-Solver++, in the
    appendix); between them a step has eta times that noise, and forgets as much of x. Of first order it is
    DDIM.

    2M is algorithm 2 of the paper; 3M has the quadratic term too. (The paper's released code, and others
    after it, count that term half, which makes 3M of second order.) The first steps are of the order that
    their past allows, the last into the clean image of the first.
    """
    x, total = noise(0), len(levels) - 1
    past: list[tuple[float, Tensor]] = []
    for i, (now, below) in enumerate(pairwise(levels)):
        x_0 = denoise(x, now.time).x_0
        past = [(now.half_log_snr, x_0), *past[:2]]
        taken = order_of_step(i, levels, order)
        x = _step(x, past[:taken], now, below, eta)
        if eta and below.sigma:
            x = x + below.sigma * math.sqrt(_fresh(now, below, eta)) * noise(i + 1)
        yield SampleStep(i + 1, total, now.time, x, x_0)


def order_of_step(index: int, levels: Sequence[Level], order: int, few: int = FEW) -> int:
    """The order that step `index` (from 0) may have: what its past allows, 1 into the clean image.

    Of fewer than `few` steps that end there the last ones have no more than there are left.
    """
    possible = min(order, index + 1)
    total = len(levels) - 1
    if levels[-1].sigma > 0:
        return possible
    return min(possible, total - index) if total < few or index == total - 1 else possible


def _fresh(now: Level, below: Level, eta: float) -> float:
    """Share of the noise in x_below, by variance, that is fresh: DDIM's (Song et al. 2021, eq. 16)."""
    return -(eta**2) * math.expm1(2 * (now.half_log_snr - below.half_log_snr))


def _forgotten(h: float, fresh: float, eta: float) -> float:
    """How much longer a step is in lambda for what it forgets of x; fresh rounds to 1 in very long ones."""
    return h if eta == 1 else -math.log1p(-fresh) / 2


def _step(x: Tensor, past: Past, now: Level, below: Level, eta: float) -> Tensor:
    """One step by the polynomial of x_0 over lambda through the past, integrated exactly (eq. 9 there).

    As much noise as will be fresh is forgotten of x: it is a longer step for it and for the weight of x_0.
    """
    h = below.half_log_snr - now.half_log_snr
    forgotten = _forgotten(h, _fresh(now, below, eta), eta) if eta and below.sigma else 0.0
    wide = h + forgotten
    phi_1 = math.expm1(-wide)
    found = below.sigma / now.sigma * math.exp(-forgotten) * x - below.alpha * phi_1 * past[0][1]
    if len(past) == 1:
        return found
    first = _slope(past[0], past[1]) * h
    if len(past) == 2:
        return found - below.alpha * phi_1 / 2 * first
    older = _slope(past[1], past[2]) * h
    second = (first - older) / ((past[0][0] - past[2][0]) / h)  # by r_0 + r_1
    first = first + (past[0][0] - past[1][0]) / h * second
    linear = 1 + phi_1 / wide  # the integral of w e^(-w(1-s)) s over 0 … 1, and of s² next
    quadratic = 1 - 2 * linear / wide
    return found + below.alpha * linear * first + below.alpha * quadratic * second


def _slope(newer: tuple[float, Tensor], older: tuple[float, Tensor]) -> Tensor:
    return (newer[1] - older[1]) / (newer[0] - older[0])
