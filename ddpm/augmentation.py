"""Non-leaking augmentation: images mirrored, turned, stretched and moved, and the network told how.

Karras et al. 2022, appendix F.2 (after Karras et al. 2020, StyleGAN2-ADA): what was done goes into the
network as NUMBERS numbers, all 0 for an image as it is, so that it can be asked for images as they are and
what augmentation does never shows in samples. The moves, their strength and their chances are the paper's
for CIFAR-10; images are resampled bicubically, mirrored beyond their rim, where the paper filters by
wavelets. Mirroring alone moves pixels and resamples none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

#: What the network is told: mirrored, upside down, log2 of the scale, cosine of the turn less 1, its sine,
#: log2 of the stretch times cosine and sine of twice its direction, shifts right and down.
NUMBERS = 9
#: Standard deviations: of log2 of scale and stretch, and of shifts as a share of the image's side.
SCALE, STRETCH, SHIFT = 0.2, 0.2, 0.125


@dataclass(frozen=True, slots=True)
class Warp:
    """What is done to each of B images."""

    mirrored: Tensor  #: bool (B,), left to right
    upended: Tensor  #: bool (B,), top to bottom
    scale: Tensor  #: float32 (B,), log2: above 0 larger
    turn: Tensor  #: float32 (B,), radians from the right to the bottom
    stretch: Tensor  #: float32 (B,), log2 of how much longer along `direction`, and shorter across it
    direction: Tensor  #: float32 (B,), radians
    shift: Tensor  #: float32 (B,2), right and down, as a share of the side

    @property
    def told(self) -> Tensor:
        """What the network is told, float32 (B, NUMBERS)."""
        columns = (
            self.mirrored.float(),
            self.upended.float(),
            self.scale,
            self.turn.cos() - 1,
            self.turn.sin(),
            self.stretch * (2 * self.direction).cos(),
            self.stretch * (2 * self.direction).sin(),
            *self.shift.unbind(1),
        )
        return torch.stack(columns, dim=1)

    def apply(self, x: Tensor) -> Tensor:
        """float32 (B,C,H,H) in [-1,1] → the same, as the images look then."""
        x = torch.where(self.mirrored[:, None, None, None], x.flip(3), x)
        x = torch.where(self.upended[:, None, None, None], x.flip(2), x)
        resampled = (self.told[:, 2:] != 0).any(1)  # asked of the device alone: nothing waits for it
        grid = F.affine_grid(self._back(), list(x.shape), align_corners=False)
        moved = F.grid_sample(x, grid, mode="bicubic", padding_mode="reflection", align_corners=False)
        return torch.where(resampled[:, None, None, None], moved.clamp(-1, 1), x)

    def _back(self) -> Tensor:
        """From where each pixel comes, float32 (B,2,3) in coordinates from -1 to 1: scaled, then turned, then
        stretched, then shifted, backwards."""
        across = _turned(self.direction)
        stretch = torch.diag_embed(torch.stack([(-self.stretch).exp2(), self.stretch.exp2()], dim=1))
        linear = (-self.scale).exp2()[:, None, None] * _turned(-self.turn)
        linear = linear @ across @ stretch @ across.transpose(1, 2)
        return torch.cat([linear, -(linear @ (2 * self.shift)[:, :, None])], dim=2)


def _turned(angle: Tensor) -> Tensor:
    """Rotations (B,2,2)."""
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([torch.stack([cos, -sin], dim=1), torch.stack([sin, cos], dim=1)], dim=1)


def drawn(count: int, chance: float, generator: torch.Generator) -> Warp:
    """What is done to `count` images: each is mirrored with chance 1/2; all else, thing by thing, with
    `chance` (half of it for upside down; of the stretches half are along the axes)."""
    device = generator.device

    def uniform() -> Tensor:
        return torch.rand(count, generator=generator, device=device)

    def happens(probability: float) -> Tensor:
        return uniform() < probability

    def normal(deviation: float) -> Tensor:
        return deviation * torch.randn(count, generator=generator, device=device)

    mirrored, upended = happens(0.5), happens(chance / 2)
    scale = normal(SCALE) * happens(chance)
    turn = (2 * uniform() - 1) * math.pi * happens(chance)
    stretch = normal(STRETCH) * happens(chance)
    direction = uniform() * math.pi * happens(0.5)
    moved = happens(chance)
    shift = torch.stack([normal(SHIFT) * moved, normal(SHIFT) * moved], dim=1)
    return Warp(mirrored, upended, scale, turn, stretch, direction, shift)
