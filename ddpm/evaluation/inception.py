"""The network of the Fréchet inception distance (Heusel et al. 2017): the trunk of Inception v3
(Szegedy et al. 2016) as TensorFlow's graph of 2015-12-05 computes it.

It differs from torchvision's Inception v3 in its average pools, which leave the rim out of the mean, and in
the last block, which pools by maximum. Batch normalisation is folded into the convolutions, as it is fixed.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: Height and width of what the network takes, in pixels.
SIZE = 299
#: Numbers per image after the last pool.
DIMENSION = 2048
#: Added to the variance by the graph's batch normalisation.
_EPSILON = 1e-3


class _Convolution(nn.Conv2d):
    """A convolution with its folded normalisation as bias, then ReLU; padded to keep the size at stride 1
    unless `valid`."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int | tuple[int, int] = 1,
        stride: int = 1,
        *,
        valid: bool = False,
    ) -> None:
        sides = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (0, 0) if valid or stride > 1 else (sides[0] // 2, sides[1] // 2)
        super().__init__(inputs, outputs, sides, stride, padding)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).relu_()


def _average_pool(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


class _MixedA(nn.Module):
    """35×35: 1×1, 5×5 and twice 3×3 convolutions beside a pool."""

    def __init__(self, inputs: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = _Convolution(inputs, 64)
        self.branch5x5_1 = _Convolution(inputs, 48)
        self.branch5x5_2 = _Convolution(48, 64, 5)
        self.branch3x3dbl_1 = _Convolution(inputs, 64)
        self.branch3x3dbl_2 = _Convolution(64, 96, 3)
        self.branch3x3dbl_3 = _Convolution(96, 96, 3)
        self.branch_pool = _Convolution(inputs, pooled)

    def forward(self, x: Tensor) -> Tensor:
        middle = self.branch5x5_2(self.branch5x5_1(x))
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), middle, double, self.branch_pool(_average_pool(x))], 1)


class _MixedB(nn.Module):
    """From 35×35 to 17×17."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3 = _Convolution(inputs, 384, 3, 2)
        self.branch3x3dbl_1 = _Convolution(inputs, 64)
        self.branch3x3dbl_2 = _Convolution(64, 96, 3)
        self.branch3x3dbl_3 = _Convolution(96, 96, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, F.max_pool2d(x, 3, 2)], 1)


class _MixedC(nn.Module):
    """17×17: 7×7 convolutions, each as a row and a column."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.branch1x1 = _Convolution(inputs, 192)
        self.branch7x7_1 = _Convolution(inputs, width)
        self.branch7x7_2 = _Convolution(width, width, (1, 7))
        self.branch7x7_3 = _Convolution(width, 192, (7, 1))
        self.branch7x7dbl_1 = _Convolution(inputs, width)
        self.branch7x7dbl_2 = _Convolution(width, width, (7, 1))
        self.branch7x7dbl_3 = _Convolution(width, width, (1, 7))
        self.branch7x7dbl_4 = _Convolution(width, width, (7, 1))
        self.branch7x7dbl_5 = _Convolution(width, 192, (1, 7))
        self.branch_pool = _Convolution(inputs, 192)

    def forward(self, x: Tensor) -> Tensor:
        single = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return torch.cat([self.branch1x1(x), single, double, self.branch_pool(_average_pool(x))], 1)


class _MixedD(nn.Module):
    """From 17×17 to 8×8."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3_1 = _Convolution(inputs, 192)
        self.branch3x3_2 = _Convolution(192, 320, 3, 2)
        self.branch7x7x3_1 = _Convolution(inputs, 192)
        self.branch7x7x3_2 = _Convolution(192, 192, (1, 7))
        self.branch7x7x3_3 = _Convolution(192, 192, (7, 1))
        self.branch7x7x3_4 = _Convolution(192, 192, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        single = self.branch3x3_2(self.branch3x3_1(x))
        triple = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))
        return torch.cat([single, self.branch7x7x3_4(triple), F.max_pool2d(x, 3, 2)], 1)


class _MixedE(nn.Module):
    """8×8: 3×3 convolutions that part into a row and a column. The last one of the two pools by maximum."""

    def __init__(self, inputs: int, *, last: bool) -> None:
        super().__init__()
        self.branch1x1 = _Convolution(inputs, 320)
        self.branch3x3_1 = _Convolution(inputs, 384)
        self.branch3x3_2a = _Convolution(384, 384, (1, 3))
        self.branch3x3_2b = _Convolution(384, 384, (3, 1))
        self.branch3x3dbl_1 = _Convolution(inputs, 448)
        self.branch3x3dbl_2 = _Convolution(448, 384, 3)
        self.branch3x3dbl_3a = _Convolution(384, 384, (1, 3))
        self.branch3x3dbl_3b = _Convolution(384, 384, (3, 1))
        self.branch_pool = _Convolution(inputs, 192)
        self._last = last

    def forward(self, x: Tensor) -> Tensor:
        single = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = F.max_pool2d(x, 3, stride=1, padding=1) if self._last else _average_pool(x)
        parts = [self.branch1x1(x), self.branch3x3_2a(single), self.branch3x3_2b(single)]
        parts += [self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double), self.branch_pool(pooled)]
        return torch.cat(parts, 1)


class Inception(nn.Module):
    """float32 (N,3,299,299), some [-1, 1], to float32 (N,2048): the mean over the last 8×8.

    Modules are named as in torchvision's Inception v3, so that the published weights fit by name.
    `trunk` holds them as published, with batch normalisation (see `ddpm.evaluation.trunk`).
    """

    def __init__(self, trunk: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = _Convolution(3, 32, 3, 2)
        self.Conv2d_2a_3x3 = _Convolution(32, 32, 3, valid=True)
        self.Conv2d_2b_3x3 = _Convolution(32, 64, 3)
        self.Conv2d_3b_1x1 = _Convolution(64, 80)
        self.Conv2d_4a_3x3 = _Convolution(80, 192, 3, valid=True)
        self.Mixed_5b = _MixedA(192, 32)
        self.Mixed_5c = _MixedA(256, 64)
        self.Mixed_5d = _MixedA(288, 64)
        self.Mixed_6a = _MixedB(288)
        self.Mixed_6b = _MixedC(768, 128)
        self.Mixed_6c = _MixedC(768, 160)
        self.Mixed_6d = _MixedC(768, 160)
        self.Mixed_6e = _MixedC(768, 192)
        self.Mixed_7a = _MixedD(768)
        self.Mixed_7b = _MixedE(1280, last=False)
        self.Mixed_7c = _MixedE(2048, last=True)
        self.load_state_dict(_folded(trunk))
        self.requires_grad_(False).eval().to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, 2)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(F.max_pool2d(x, 3, 2))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        return x.mean((2, 3))


def _folded(trunk: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights and biases of convolutions that include their batch normalisation, folded in float64."""
    folded = {}
    for key in trunk:
        name, _, rest = key.partition(".conv.")
        if rest != "weight":
            continue
        mean, variance, scale, shift = (
            trunk[f"{name}.bn.{part}"].double() for part in ("running_mean", "running_var", "weight", "bias")
        )
        factor = scale / (variance + _EPSILON).sqrt()
        folded[f"{name}.weight"] = (trunk[key].double() * factor[:, None, None, None]).float()
        folded[f"{name}.bias"] = (shift - mean * factor).float()
    return folded
