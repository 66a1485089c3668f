"""Random numbers that are a pure function of what they are for.

Sampling: noise is addressed by (seed, image, draw), so an image does not depend on its neighbours, on the
batch size or on the device. Training: a step's generators are seeded by (seed, images seen), so a resumed
run draws what an uninterrupted one would have drawn.
"""

from __future__ import annotations

import hashlib
import math

import torch
from torch import Tensor

_WORD = 0xFFFFFFFF


def philox(counter: tuple[Tensor, Tensor, Tensor, Tensor], key: tuple[int, int]) -> tuple[Tensor, ...]:
    """Philox-4x32-10 (Salmon et al. 2011): four tensors of 32-bit words, held in int64, to four of them."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0, p1 = c0 * 0xD2511F53, c2 * 0xCD9E8D57  # 64-bit products; a wrapped sign bit is masked off below
        high0, high1 = (p0 >> 32) & _WORD, (p1 >> 32) & _WORD
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, p1 & _WORD, high0 ^ c3 ^ k1, p0 & _WORD
        k0, k1 = (k0 + 0x9E3779B9) & _WORD, (k1 + 0xBB67AE85) & _WORD
    return c0, c1, c2, c3


def normal(seed: int, images: Tensor, draw: int, shape: tuple[int, ...]) -> Tensor:
    """Standard normal noise, float32 (N, *shape): draw number `draw` of the images numbered `images`.

    seed in 0 … 2^63-1; images int64 (N,), each in 0 … 2^32-1; draw in 0 … 2^32-1. Box and Muller's
    transform over Philox words: equal on every device up to float rounding.
    """
    size = math.prod(shape)
    block = torch.arange((size + 3) // 4, device=images.device)[None, :]
    image = images[:, None].expand(-1, block.shape[1])
    zero = torch.zeros_like(image)
    words = philox((block + zero, image, zero + draw, zero), (seed & _WORD, seed >> 32))
    u = [((w >> 8).float() + 0.5) * 2.0**-24 for w in words]
    pairs = []
    for radius, angle in ((u[0], u[1]), (u[2], u[3])):
        r = torch.sqrt(-2 * torch.log(radius))
        pairs += [r * torch.cos(2 * math.pi * angle), r * torch.sin(2 * math.pi * angle)]
    return torch.stack(pairs, dim=2).flatten(1)[:, :size].reshape(len(images), *shape)


def uniform(seed: int, images: Tensor, draw: int) -> Tensor:
    """Numbers in [0, 1), float64 (N,): draw number `draw` of the images numbered `images`, as in `normal`."""
    zero = torch.zeros_like(images)
    words = philox((zero, images, zero + draw, zero), (seed & _WORD, seed >> 32))
    return words[0].double() * 2.0**-32


def derive(seed: int, *purpose: int | str) -> int:
    """A 63-bit seed of its own for a purpose, by SHA-256 over (seed, purpose).

    Torch's generator on the CPU takes in the lower 32 bits alone: among very many steps two may draw alike.
    """
    text = ":".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


class DataOrder:
    """The endless order in which a run sees its images: one shuffle after another, each seen once.

    Position p is a pure function of (seed, p): nothing needs to be saved to go on from anywhere.
    """

    def __init__(self, size: int, seed: int) -> None:
        self._size = size
        self._seed = seed
        self._epoch: int | None = None
        self._shuffle = torch.empty(0, dtype=torch.int64)

    def batch(self, start: int, count: int) -> Tensor:
        """Indices at positions start … start+count-1, int64 (count,) on the CPU."""
        parts = []
        while count:
            epoch, offset = divmod(start, self._size)
            part = self._epoch_order(epoch)[offset : offset + count]
            parts.append(part)
            start, count = start + len(part), count - len(part)
        return torch.cat(parts)

    def _epoch_order(self, epoch: int) -> Tensor:
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(derive(self._seed, "order", epoch))
            self._shuffle = torch.randperm(self._size, generator=generator)
            self._epoch = epoch
        return self._shuffle
