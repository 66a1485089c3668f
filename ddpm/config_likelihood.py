"""The part of the configuration that asks how likely images are: [likelihood]."""

from __future__ import annotations

from pydantic import Field

from ddpm.config_section import Section


class LikelihoodConfig(Section):
    """Of which images the variational bound is computed, and how closely."""

    train: int = Field(
        500, ge=0, le=1_000_000, description="Images of the data set's training part; at most all"
    )
    test: int | None = Field(
        None, ge=0, le=1_000_000, description="Of its test part; unset: as many, where it has one"
    )
    timesteps: int | None = Field(
        None,
        ge=2,
        description="Terms computed for each image, drawn over all timesteps without bias; unset: 100. All "
        "of them, as papers report, cost as many network evaluations and narrow the error little",
    )
    clip: bool = Field(True, description="Cut each prediction of the image to the range of pixels")
    batch_size: int = Field(64, ge=1, le=65_536, description="Images computed at once; does not change them")
    seed: int = Field(0, ge=0, lt=2**63, description="Of the images chosen, the timesteps and the noise")

    def resolved_timesteps(self, timesteps: int) -> int:
        """Terms of each image for a forward process of `timesteps` steps."""
        return self.timesteps or min(100, timesteps)

    def resolved_test(self, splits: tuple[str, ...]) -> int:
        """Images of the test part, of a data set that has these parts."""
        usual = self.train if "test" in splits else 0
        return usual if self.test is None else self.test

    def check(self, timesteps: int, splits: tuple[str, ...]) -> None:
        """ValueError where it does not fit a forward process of `timesteps` steps and a data set's parts."""
        if (self.timesteps or 0) > timesteps:
            raise ValueError(
                f"likelihood.timesteps: {self.timesteps} is above diffusion.timesteps {timesteps}"
            )
        if self.test and "test" not in splits:
            raise ValueError("likelihood.test: this data set has no test part; it must be 0")
        if not self.train and not self.resolved_test(splits):
            raise ValueError("likelihood.train: no image of either part is asked for")
