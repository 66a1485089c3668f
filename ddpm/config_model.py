"""The part of the configuration that says what a network is: [model]."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ddpm.config_section import Section


class ModelConfig(Section):
    """The U-Net of Ho et al. 2020 (appendix B)."""

    channels: int = Field(
        128, ge=8, le=1024, multiple_of=8, description="Channels at full resolution; a multiple of 8"
    )
    multipliers: tuple[Annotated[int, Field(ge=1, le=16)], ...] = Field(
        (1, 2, 2),
        min_length=1,
        max_length=8,
        description="Channel multiplier of each resolution, finest first",
    )
    patch: Literal[1, 2, 4] = Field(
        1, description="Side of the squares of pixels that it sees as one; 2: at a quarter of the cost"
    )
    blocks: int = Field(2, ge=1, le=8, description="Residual blocks per resolution")
    groups: int | None = Field(
        None,
        ge=1,
        description="Groups of every normalisation, which divide channels; none: the most of 32, 16, 8. One "
        "channel a group forgets the time",
    )
    attention: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (16,),
        description="Image sizes, in patches, with self-attention; sizes that do not occur are ignored",
    )
    head_channels: int = Field(
        0, ge=0, le=16_384, description="Channels of each attention head; 0: one head over all channels"
    )
    dropout: float = Field(0.1, ge=0.0, lt=1.0, description="Dropout inside residual blocks")
    classes: int = Field(
        0, ge=0, le=100_000, description="Classes that it is told of: as many as the data has, or 0 for none"
    )

    @model_validator(mode="after")
    def _finest_is_the_width(self) -> Self:
        if self.multipliers[0] != 1:
            raise ValueError(
                f"model.multipliers: they begin with {self.multipliers[0]}; they must with 1, as "
                "model.channels says how wide the finest resolution is"
            )
        return self

    @model_validator(mode="after")
    def _groups_divide(self) -> Self:
        if self.groups is not None and self.channels % self.groups:
            raise ValueError(
                f"model.groups: {self.groups} groups do not divide model.channels {self.channels}"
            )
        return self
