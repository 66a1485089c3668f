"""How many numbers a network has, by arithmetic alone: no torch, for estimates before a launch."""

from __future__ import annotations

from collections.abc import Iterator

from ddpm.config import Config, ModelConfig

#: Numbers that an augmented network is told of moves (`ddpm.augmentation.NUMBERS`, which needs torch).
_MOVES = 9


def parameters(config: Config) -> int:
    """Trainable numbers of the network that `ddpm.unet.make` makes."""
    model, (image_channels, image_size, _) = config.model, config.data.shape
    width, embedding = model.channels, 4 * model.channels
    squared = model.patch**2
    total = _conv(image_channels * squared, width) + _linear(width, embedding) + _linear(embedding, embedding)
    total += (model.classes + 1) * embedding if model.classes else 0
    total += _MOVES * embedding if config.data.augment else 0
    total += sum(_resnet(i, o, embedding) for i, o in _resnets(model))
    total += sum(_attention(c) for c in _attentions(model, image_size // model.patch))
    widths = [width * m for m in model.multipliers]
    total += sum(_conv(c, c) for c in widths[:-1])  # downsamplers
    total += sum(_conv(c, c) for c in widths[1:])  # upsamplers
    outputs = image_channels * squared * (2 if config.diffusion.variance == "learned_range" else 1)
    return total + 2 * width + _conv(width, outputs)


def _resnets(model: ModelConfig) -> Iterator[tuple[int, int]]:
    """(input, output) channels of every residual block."""
    widths = [model.channels * m for m in model.multipliers]
    skips, current = [model.channels], model.channels
    for level, width in enumerate(widths):
        for _ in range(model.blocks):
            yield current, width
            current = width
            skips.append(width)
        if level < len(widths) - 1:
            skips.append(width)
    yield from [(current, current)] * 2
    for width in reversed(widths):
        for _ in range(model.blocks + 1):
            yield current + skips.pop(), width
            current = width


def _attentions(model: ModelConfig, grid: int) -> Iterator[int]:
    """Channels of every attention block."""
    yield model.channels * model.multipliers[-1]
    for level, multiplier in enumerate(model.multipliers):
        if grid // 2**level in model.attention:
            yield from [model.channels * multiplier] * (2 * model.blocks + 1)


def _conv(inputs: int, outputs: int, size: int = 3) -> int:
    return inputs * outputs * size * size + outputs


def _linear(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


def _resnet(inputs: int, outputs: int, embedding: int) -> int:
    shortcut = 0 if inputs == outputs else _conv(inputs, outputs, 1)
    norms = 2 * inputs + 2 * outputs
    convs = _conv(inputs, outputs) + _conv(outputs, outputs)
    return norms + convs + _linear(embedding, outputs) + shortcut


def _attention(channels: int) -> int:
    return 2 * channels + 4 * _linear(channels, channels)
