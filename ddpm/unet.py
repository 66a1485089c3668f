"""The U-Net of Ho et al. 2020, appendix B: predicts the noise in x_t, given x_t and t.

Modules are named and arranged as in diffusers' `UNet2DModel` with the options of the released CIFAR-10
network, so that weights can be carried either way: every computation here has its counterpart there.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ddpm.augmentation import NUMBERS
from ddpm.config import Config, ModelConfig
from ddpm.kernels.attention import attend
from ddpm.kernels.layers import Conv3x3, normalised
from ddpm.kernels.linear import Conv1x1, Linear
from ddpm.kernels.strided import HalvingConv

_NORM_EPS = 1e-6


class UNet(nn.Module):
    """(N, C, H, W) and timesteps (N,) to (N, outputs, H, W); H = W divisible by the depth and the patch.

    With `model.patch` p it sees p × p pixels as one of p² times the channels (Hoogeboom et al. 2023, simple
    diffusion, section 3.3), so that the finest resolution, which costs most, is H/p.

    outputs: channels of what is predicted, C unless given; augmented: it is told how images were moved.
    """

    def __init__(
        self,
        config: ModelConfig,
        image_channels: int,
        image_size: int,
        outputs: int | None = None,
        *,
        augmented: bool = False,
    ) -> None:
        super().__init__()
        width, groups = config.channels, config.groups or group_count(config.channels)
        widths = [width * m for m in config.multipliers]
        embedding = 4 * width
        self.width, self.patch = width, config.patch
        grid, squared = image_size // config.patch, config.patch**2
        self.time_embedding = TimeEmbedding(width, embedding)
        #: One more than there are classes: the last is that of images whose class is hidden.
        self.class_embedding = nn.Embedding(config.classes + 1, embedding) if config.classes else None
        self.augmentation = nn.Linear(NUMBERS, embedding, bias=False) if augmented else None
        self.conv_in = Conv3x3(image_channels * squared, width)
        self.down_blocks = nn.ModuleList()
        skips = [width]
        current = width
        for level, out in enumerate(widths):
            attend, last = grid // 2**level in config.attention, level == len(widths) - 1
            block = DownBlock(current, out, config, embedding, groups, attend, downsample=not last)
            self.down_blocks.append(block)
            skips += [out] * (config.blocks + (not last))
            current = out
        self.mid_block = MidBlock(current, config, embedding, groups)
        self.up_blocks = nn.ModuleList()
        for level, out in reversed(list(enumerate(widths))):
            attend = grid // 2**level in config.attention
            inputs = [skips.pop() for _ in range(config.blocks + 1)]
            up = UpBlock(current, inputs, out, config, embedding, groups, attend, upsample=level > 0)
            self.up_blocks.append(up)
            current = out
        self.conv_norm_out = nn.GroupNorm(groups, width, eps=_NORM_EPS)
        self.conv_out = Conv3x3(width, (outputs or image_channels) * squared)
        self._initialise()

    def forward(
        self,
        x: Tensor,
        timesteps: Tensor,
        labels: Tensor | None = None,
        moves: Tensor | None = None,
    ) -> Tensor:
        """What is predicted of x, float32; x float (N, C, H, W), timesteps int (N,) in 0 … T-1.

        labels: int64 (N,), classes from 0 on; their number, or None for all: no class.
        moves: float32 (N, NUMBERS), how images were augmented (`ddpm.augmentation`); None: not at all.
        """
        temb = self.time_embedding(sinusoids(timesteps, self.width))
        if self.class_embedding is not None:
            if labels is None:
                labels = torch.full_like(timesteps, self.class_embedding.num_embeddings - 1)
            temb = temb + self.class_embedding(labels)
        if self.augmentation is not None and moves is not None:
            temb = temb + self.augmentation(moves)
        temb = F.silu(temb)
        h = self.conv_in(F.pixel_unshuffle(x, self.patch))
        skips = [h]
        for block in self.down_blocks:
            h = block(h, temb, skips)
        h = self.mid_block(h, temb)
        for block in self.up_blocks:
            h = block(h, temb, skips)
        h = self.conv_out(normalised(self.conv_norm_out, h, silu=True))
        return F.pixel_shuffle(h, self.patch).float()

    def _initialise(self) -> None:
        """Fan-average uniform everywhere, and zero in the last layer of every residual branch (Ho's code)."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for module in self.modules():
            if isinstance(module, ResnetBlock):
                nn.init.zeros_(module.conv2.weight)
            elif isinstance(module, Attention):
                for parameter in module.to_out.parameters():
                    nn.init.zeros_(parameter)
        nn.init.zeros_(self.conv_out.weight)


def make(config: Config) -> UNet:
    """The network of a configuration; with twice the channels where it tells a variance as well."""
    channels, size, _ = config.data.shape
    learned = config.diffusion.variance == "learned_range"
    return UNet(
        config.model, channels, size, 2 * channels if learned else channels, augmented=config.data.augment > 0
    )


def group_count(channels: int) -> int:
    """Groups of every GroupNorm unless told: the largest of 32, 16, 8 that divides the base width.

    With one channel a group, as 32 channels then have, the normalisation takes away what the time adds to a
    channel: such networks know the time from their deeper resolutions alone. `model.groups` avoids that.
    """
    return next(g for g in (32, 16, 8) if channels % g == 0)


def sinusoids(timesteps: Tensor, dimension: int) -> Tensor:
    """Transformer position embedding of timesteps (N,): sines, then cosines; float32 (N, dimension).

    Computed in diffusers' order: at t = 999 another one rounds the angles up to 6e-5 apart from it.
    """
    half = dimension // 2
    exponent = (
        -math.log(10_000) * torch.arange(half, dtype=torch.float32, device=timesteps.device) / (half - 1)
    )
    angles = timesteps[:, None].float() * torch.exp(exponent)
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class TimeEmbedding(nn.Module):
    """Two linear layers over the sinusoids: (N, width) to (N, embedding)."""

    def __init__(self, width: int, embedding: int) -> None:
        super().__init__()
        self.linear_1 = Linear(width, embedding)
        self.linear_2 = Linear(embedding, embedding)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear_2(F.silu(self.linear_1(x)))


class ResnetBlock(nn.Module):
    """GroupNorm, SiLU, convolution, twice, the time added in between, around a shortcut."""

    def __init__(self, inputs: int, outputs: int, embedding: int, groups: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, inputs, eps=_NORM_EPS)
        self.conv1 = Conv3x3(inputs, outputs)
        self.time_emb_proj = Linear(embedding, outputs)
        self.norm2 = nn.GroupNorm(groups, outputs, eps=_NORM_EPS)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = Conv3x3(outputs, outputs)
        self.conv_shortcut = Conv1x1(inputs, outputs) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, temb: Tensor) -> Tensor:
        h = self.conv1(normalised(self.norm1, x, silu=True))
        h = normalised(self.norm2, h, self.time_emb_proj(temb), silu=True)
        h = self.conv2(self.dropout(h))
        return self.conv_shortcut(x) + h


class Attention(nn.Module):
    """Self-attention over the pixels, in heads of `head_channels` (0: one of all), around a shortcut."""

    def __init__(self, channels: int, groups: int, head_channels: int = 0) -> None:
        super().__init__()
        self.heads = channels // head_channels if head_channels else 1
        self.group_norm = nn.GroupNorm(groups, channels, eps=_NORM_EPS)
        self.to_q = Linear(channels, channels)
        self.to_k = Linear(channels, channels)
        self.to_v = Linear(channels, channels)
        self.to_out = nn.Sequential(Linear(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        h = normalised(self.group_norm, x).flatten(2).transpose(1, 2)  # (N, H·W, C)
        h = attend(self.to_q(h), self.to_k(h), self.to_v(h), self.heads)
        return x + self.to_out(h).transpose(1, 2).reshape(x.shape)


class Downsample(nn.Module):
    """Halves the size by a strided convolution, padded at the right and the bottom alone."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = HalvingConv(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class Upsample(nn.Module):
    """Doubles the size by repeating pixels, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = Conv3x3(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


def _attentions(channels: int, count: int, groups: int, head_channels: int, attend: bool) -> nn.ModuleList:
    return nn.ModuleList(
        Attention(channels, groups, head_channels) if attend else nn.Identity() for _ in range(count)
    )


class DownBlock(nn.Module):
    """Residual blocks of one resolution on the way down; every output is kept for the way up."""

    def __init__(
        self, inputs: int, outputs: int, config: ModelConfig, embedding: int, groups: int, attend: bool,
        downsample: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        widths = [inputs] + [outputs] * (config.blocks - 1)
        self.resnets = nn.ModuleList(
            ResnetBlock(w, outputs, embedding, groups, config.dropout) for w in widths
        )
        self.attentions = _attentions(outputs, config.blocks, groups, config.head_channels, attend)
        self.downsamplers = nn.ModuleList([Downsample(outputs)] if downsample else [])

    def forward(self, h: Tensor, temb: Tensor, skips: list[Tensor]) -> Tensor:
        for resnet, attention in zip(self.resnets, self.attentions, strict=True):
            h = attention(resnet(h, temb))
            skips.append(h)
        for downsampler in self.downsamplers:
            h = downsampler(h)
            skips.append(h)
        return h


class MidBlock(nn.Module):
    """Residual block, attention, residual block, at the smallest resolution."""

    def __init__(self, channels: int, config: ModelConfig, embedding: int, groups: int) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(
            ResnetBlock(channels, channels, embedding, groups, config.dropout) for _ in range(2)
        )
        self.attentions = nn.ModuleList([Attention(channels, groups, config.head_channels)])

    def forward(self, h: Tensor, temb: Tensor) -> Tensor:
        return self.resnets[1](self.attentions[0](self.resnets[0](h, temb)), temb)


class UpBlock(nn.Module):
    """Residual blocks of one resolution on the way up, each fed with what the way down kept."""

    def __init__(
        self, inputs: int, skips: list[int], outputs: int, config: ModelConfig, embedding: int, groups: int,
        attend: bool, upsample: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        widths = [inputs] + [outputs] * config.blocks
        self.resnets = nn.ModuleList(
            ResnetBlock(w + s, outputs, embedding, groups, config.dropout)
            for w, s in zip(widths, skips, strict=True)
        )
        self.attentions = _attentions(outputs, config.blocks + 1, groups, config.head_channels, attend)
        self.upsamplers = nn.ModuleList([Upsample(outputs)] if upsample else [])

    def forward(self, h: Tensor, temb: Tensor, skips: list[Tensor]) -> Tensor:
        for resnet, attention in zip(self.resnets, self.attentions, strict=True):
            h = attention(resnet(torch.cat([h, skips.pop()], dim=1), temb))
        for upsampler in self.upsamplers:
            h = upsampler(h)
        return h
