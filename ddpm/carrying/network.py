"""The configuration of a network here and of diffusers' `UNet2DModel`, each from the other.

`ddpm.unet` names and arranges its modules as `UNet2DModel` does, with the options of the released CIFAR-10
network (google/ddpm-cifar10-32), so the weights themselves need no conversion. What one of the two has and
the other lacks is refused here, by the name of the option.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ddpm.carrying.reading import CarryError, told
from ddpm.config import Config
from ddpm.unet import group_count

#: Version of diffusers whose options are written; later ones read them.
WRITTEN_FOR = "0.32.0"

#: Options that are the same in every network here: (what diffusers takes where it is not said, what may be).
_FIXED: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "center_input_sample": (False, (False,)),
    "time_embedding_type": ("positional", ("positional",)),
    "freq_shift": (0, (1,)),
    "flip_sin_to_cos": (True, (False,)),
    "mid_block_type": ("UNetMidBlock2D", ("UNetMidBlock2D",)),
    "mid_block_scale_factor": (1, (1,)),
    "downsample_padding": (1, (0,)),
    "downsample_type": ("conv", ("conv",)),
    "upsample_type": ("conv", ("conv",)),
    "act_fn": ("silu", ("silu", "swish")),
    "norm_eps": (1e-5, (1e-6,)),
    "resnet_time_scale_shift": ("default", ("default",)),
    "add_attention": (True, (True,)),
    "class_embed_type": (None, (None,)),
}
#: Those that say something, with what diffusers takes where they are not said.
_TOLD: dict[str, Any] = {
    "sample_size": None,
    "in_channels": 3,
    "out_channels": 3,
    "block_out_channels": [224, 448, 672, 896],
    "layers_per_block": 2,
    "down_block_types": ["DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"],
    "up_block_types": ["AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"],
    "dropout": 0.0,
    "attention_head_dim": 8,
    "norm_num_groups": 32,
    "attn_norm_num_groups": None,
    "time_embedding_dim": None,
    "num_class_embeds": None,
    "num_train_timesteps": None,  # of a learned time embedding alone
}


def reasons(config: Config) -> list[str]:
    """Why a run's network cannot be carried to diffusers, a line each; none where it can."""
    found = []
    if not config.diffuses:
        found.append(
            f"training.objective: a network that learned to denoise ({config.objective}) draws no images, "
            "and a DDPMPipeline does nothing else"
        )
    if config.objective == "consistency":
        found.append(
            "training.objective: a network tuned to draw in few steps (consistency) knows no small ones, "
            "which are all that a DDPMPipeline takes: take the run that it was tuned from"
        )
    if config.model.patch > 1:
        found.append(
            f"model.patch: a UNet2DModel sees each pixel alone; one that sees {config.model.patch} × "
            f"{config.model.patch} of them as one has no like there"
        )
    return found


def notes(config: Config) -> list[str]:
    """What a person should know of a network that can be carried to diffusers, a line each."""
    found = []
    if config.model.classes:
        found.append(
            f"model.classes: a DDPMPipeline tells its network of no class; call its unet with class_labels "
            f"(0 to {config.model.classes - 1}, or {config.model.classes} for none)"
        )
    if config.data.augment:
        found.append(
            "data.augment: what the network was told of moved images stays behind; of unmoved ones, which is "
            "all it is asked to draw, it says the same"
        )
    return found


def to_unet(config: Config) -> dict[str, Any]:
    """What `unet/config.json` says of a network that can be carried."""
    model, (channels, size, _) = config.model, config.data.shape
    attend = [size // 2**level in model.attention for level in range(len(model.multipliers))]
    learned = config.diffusion.variance == "learned_range"
    return {
        "_class_name": "UNet2DModel",
        "_diffusers_version": WRITTEN_FOR,
        **{key: allowed[0] for key, (_, allowed) in _FIXED.items()},
        "sample_size": size,
        "in_channels": channels,
        "out_channels": 2 * channels if learned else channels,
        "block_out_channels": [model.channels * m for m in model.multipliers],
        "layers_per_block": model.blocks,
        "down_block_types": ["AttnDownBlock2D" if a else "DownBlock2D" for a in attend],
        "up_block_types": ["AttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attend)],
        "dropout": model.dropout,
        "attention_head_dim": model.head_channels or None,
        "norm_num_groups": model.groups or group_count(model.channels),
        "num_class_embeds": model.classes + 1 if model.classes else None,
    }


@dataclass(frozen=True, slots=True)
class Network:
    """What a `UNet2DModel` is here: images it takes, values of [model], whether it tells a variance."""

    channels: int
    size: int
    model: dict[str, Any]
    learned: bool


def from_unet(found: Mapping[str, Any], name: str) -> Network:
    """The network that a `unet/config.json` describes; `name` names the file in messages.

    CarryError for every option that no network here has.
    """
    read = _Options(found, name)
    read.check_fixed()
    widths = read.wholes("block_out_channels")
    if not 1 <= len(widths) <= 8 or widths[0] % 8 or any(w % widths[0] or w > 16 * widths[0] for w in widths):
        raise read.refused(
            "block_out_channels", "1 to 8 of them, each a multiple (up to 16) of the first, and that one of 8"
        )
    down, up = read.blocks("down_block_types", "Down"), read.blocks("up_block_types", "Up")
    if len(down) != len(widths) or up != down[::-1]:
        raise read.refused("up_block_types", "as on the way down, in reverse, one for each resolution")
    size = read.whole("sample_size")
    if size % 2 ** (len(widths) - 1):
        raise read.refused("sample_size", f"divisible by {2 ** (len(widths) - 1)} for {len(widths)} of them")
    channels, outputs = read.whole("in_channels"), read.whole("out_channels")
    if channels not in (1, 3):
        raise read.refused("in_channels", "1 (grey) or 3 (colour)")
    if outputs not in (channels, 2 * channels):
        raise read.refused("out_channels", "as many as in, or twice as many")
    groups = read.whole("norm_num_groups")
    if widths[0] % groups:
        raise read.refused("norm_num_groups", f"groups that divide its width of {widths[0]}")
    if read.get("attn_norm_num_groups") not in (None, groups):
        raise read.refused("attn_norm_num_groups", f"as many as elsewhere, {groups}")
    if read.get("time_embedding_dim") not in (None, 4 * widths[0]):
        raise read.refused("time_embedding_dim", f"{4 * widths[0]}, four times the width")
    heads, embeds = read.whole("attention_head_dim", none=0), read.whole("num_class_embeds", none=0)
    if embeds == 1:
        raise read.refused("num_class_embeds", "none, or one more than there are classes")
    dropout = read.get("dropout")
    if not isinstance(dropout, int | float) or not 0 <= dropout < 1:
        raise read.refused("dropout", "from 0 to below 1")
    model = {
        "channels": widths[0],
        "multipliers": tuple(w // widths[0] for w in widths),
        "blocks": read.whole("layers_per_block"),
        "groups": None if groups == group_count(widths[0]) else groups,
        "attention": tuple(size // 2**level for level, attend in enumerate(down) if attend),
        "head_channels": heads,
        "dropout": float(dropout),
        "classes": max(0, embeds - 1),
    }
    return Network(channels, size, model, outputs == 2 * channels)


class _Options:
    """The options in a file, with diffusers' defaults behind them."""

    def __init__(self, found: Mapping[str, Any], name: str) -> None:
        self._found, self._name = found, name

    def get(self, key: str) -> Any:
        default = _FIXED[key][0] if key in _FIXED else _TOLD[key]
        return self._found.get(key, default)

    def refused(self, key: str, allowed: str) -> CarryError:
        return CarryError(f"{self._name}: {key} is {told(self.get(key))}; a network here has {allowed}")

    def check_fixed(self) -> None:
        if (kind := self._found.get("_class_name", "UNet2DModel")) != "UNet2DModel":
            raise CarryError(f"{self._name}: of a {told(kind)}; only a UNet2DModel can be carried")
        for key, (_, allowed) in _FIXED.items():
            if self.get(key) not in allowed:
                raise self.refused(key, told(allowed[0]))
        for key, value in self._found.items():
            if key not in _FIXED and key not in _TOLD and not key.startswith("_") and value is not None:
                raise CarryError(f"{self._name}: the option {told(key)} is not known here")

    def whole(self, key: str, none: int | None = None) -> int:
        value = self.get(key)
        if value is None and none is not None:
            return none
        if type(value) is not int or not 1 <= value <= 100_001:
            raise self.refused(key, "a whole number from 1 on")
        return value

    def wholes(self, key: str) -> list[int]:
        value = self.get(key)
        if not isinstance(value, list) or any(type(v) is not int or not 1 <= v <= 16_384 for v in value):
            raise self.refused(key, "whole numbers from 1 on")
        return value

    def blocks(self, key: str, way: str) -> list[bool]:
        """Whether each resolution has attention."""
        value = self.get(key)
        plain, attends = f"{way}Block2D", f"Attn{way}Block2D"
        if not isinstance(value, list) or not all(v in (plain, attends) for v in value):
            kinds = value if isinstance(value, list) else []
            other = next((v for v in kinds if v not in (plain, attends)), value)
            raise CarryError(
                f"{self._name}: {key} has {told(other)}; a network here has {plain} and {attends} alone"
            )
        return [v == attends for v in value]
