"""Which timesteps the terms of an image are computed at: one of each stratum, so that no term is left out.

The bound is a sum over all timesteps. With one timestep drawn evenly from each stratum and its term counted
as often as the stratum is wide, the sum over the strata has the same mean: it is unbiased.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ddpm.randomness import uniform


def edges(length: int, count: int) -> Tensor:
    """`count` strata of the timesteps 0 … length-1: where each begins, and `length`; int64 (count + 1,).

    2 ≤ count ≤ length. The first holds t = 0 alone, which is another kind of term; from there on they widen
    with t, as the terms become small and smooth there (Nichol & Dhariwal 2021, figure 2).
    """
    if not 2 <= count <= length:
        raise ValueError(f"{count} strata of {length} timesteps")
    found, rest = [0, 1], count - 1
    for number in range(1, count):
        found.append(max(found[-1] + 1, 1 + round((length - 1) * (number / rest) ** 2)))
    return torch.tensor(found)


def drawn(seed: int, images: Tensor, edges: Tensor) -> Tensor:
    """Timesteps int64 (strata, N): of each stratum one for each of the images numbered `images` (N,)."""
    first, width = edges[:-1].to(images.device), edges.diff().to(images.device)
    shares = torch.stack([uniform(seed, images, number) for number in range(len(width))])
    return first[:, None] + (shares * width[:, None]).long()
