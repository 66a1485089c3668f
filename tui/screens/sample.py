"""Draw images: which checkpoint, which sampler, how many steps and images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import BindingType
from textual.content import Content

from ddpm.config import Config, SamplingConfig
from tui import commands, keys
from tui.screens.fromcheckpoint import CheckpointScreen

if TYPE_CHECKING:
    from runs.directory import RunDirectory


class SampleScreen(CheckpointScreen):
    """The settings of [sampling] that a person asks for."""

    place = "sample"
    BINDINGS: ClassVar[list[BindingType]] = [*keys.bindings("sample")]
    FIELDS = tuple(
        f"sampling.{name}"
        for name in (
            *("sampler", "steps", "spacing", "eta", "guidance", "guidance_step", "guidance_class"),
            *("guidance_from", "guidance_to", "labels", "average", "count", "seed"),
        )
    )
    TITLE, PURPOSE = "Sample", "to draw with"
    LAUNCH = Content("Draw them  ^l")

    def _command(self) -> tuple[str, ...] | None:
        config, checkpoint = self._config, self._chosen
        if config is None or checkpoint is None or self._trained is None:
            return None
        return commands.sample(
            str(self._run.id),
            checkpoint.step,
            config,
            self._trained,
            home=self.cockpit.home_option,
        )

    def _what(self, config: Config) -> Text:
        return Text(drawing(config.sampling.count, config), style=self.cockpit.ink.dim)

    def _maker(self, command: tuple[str, ...]) -> Callable[[], RunDirectory]:
        config, checkpoint = self._config, self._chosen
        assert config is not None
        assert checkpoint is not None
        home, path, sampling = self.cockpit.home, Path(self._run.path), config.sampling

        def make() -> RunDirectory:
            from runs.directory import RunDirectory
            from runs.launch import new_sampling

            return new_sampling(home, RunDirectory(path), checkpoint.step, sampling, command=command)

        return make


def drawing(count: int, config: Config) -> str:
    """ "64 images by ddim, 50 evaluations of the network each."."""
    sampling: SamplingConfig = config.sampling
    asked = f"{sampling.evaluations(config.diffusion.timesteps):,}"
    most = "at most " if sampling.guided_in_part else ""
    return f"{count:,} images by {sampling.sampler}, {most}{asked} evaluations of the network each."
