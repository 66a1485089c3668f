"""UniPC (Zhao et al. 2023): steps corrected by the evaluation that the next one needs anyway."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from ddpm.samplers.dpmpp import order_of_step
from ddpm.samplers.levels import Level
from ddpm.samplers.steps import Denoiser, Noise, SampleStep

#: (lambda, x_0 predicted there).
Seen = tuple[float, Tensor]


def unipc(
    denoise: Denoiser, levels: Sequence[Level], noise: Noise, *, order: int = 3
) -> Iterator[SampleStep]:
    """Draws images step by step down the `levels`; one evaluation of `denoise` each.

    UniP-`order` predicts, UniC-`order` corrects (algorithms 1 and 2, data prediction, B(h) = e^h - 1): of
    order `order` + 1, given accurate first values. Nothing corrects the clean image at the end.
    """
    x, total = noise(0), len(levels) - 1
    past: list[Seen] = []  # the newest first
    start = x  # of the step that is to be corrected
    for i, (now, below) in enumerate(pairwise(levels)):
        x_0 = denoise(x, now.time).x_0
        seen = (now.half_log_snr, x_0)
        if i:
            x = _step(start, past[: _order(i - 1, levels, order)], seen, levels[i - 1], now)
        past, start = [seen, *past[: order - 1]], x
        x = _step(x, past[: _order(i, levels, order)], None, now, below)
        yield SampleStep(i + 1, total, now.time, x, x_0)


def _order(index: int, levels: Sequence[Level], order: int) -> int:
    """Lower towards the end of any number of steps, as in the paper's released code."""
    return order_of_step(index, levels, order, few=len(levels))


def _step(x: Tensor, past: Sequence[Seen], ahead: Seen | None, now: Level, below: Level) -> Tensor:
    """From `now` to `below` by what is known at `now` and before, and `ahead` at `below` (eq. 3, 8)."""
    h = below.half_log_snr - now.half_log_snr
    growth = -math.expm1(-h)
    moved = below.sigma / now.sigma * x + below.alpha * growth * past[0][1]
    known = [*past[1:], *([ahead] if ahead else [])]
    if not known:
        return moved
    places = [(place - past[0][0]) / h for place, _ in known]
    differences = [(x_0 - past[0][1]) / r for (_, x_0), r in zip(known, places, strict=True)]
    weights = _weights(places, -h)
    change = sum((w * d for w, d in zip(weights, differences, strict=True)), start=0 * x)
    return moved + below.alpha * growth * change


def _weights(places: Sequence[float], h: float) -> list[float]:
    """The a_m that solve R a = b (eq. 5, theorem 3.1); 1/2 alone for one, as its error is no larger."""
    count = len(places)
    if count == 1:
        return [0.5]
    powers, targets = [], []
    phi, factorial = math.expm1(h) / h - 1, 1
    for n in range(1, count + 1):
        powers.append([r ** (n - 1) for r in places])
        targets.append(phi * factorial / math.expm1(h))
        factorial *= n + 1
        phi = phi / h - 1 / factorial
    solved = torch.linalg.solve(
        torch.tensor(powers, dtype=torch.float64), torch.tensor(targets, dtype=torch.float64)
    )
    return solved.tolist()
