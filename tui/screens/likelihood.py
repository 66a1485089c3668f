"""Measure how likely a checkpoint finds images: of which part, how many, at how many timesteps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import BindingType
from textual.content import Content

from ddpm import datafiles
from ddpm.config import Config
from tui import commands, keys, protocols
from tui.screens.fromcheckpoint import CheckpointScreen

if TYPE_CHECKING:
    from runs.directory import RunDirectory


class LikelihoodScreen(CheckpointScreen):
    """The settings of [likelihood]."""

    place = "likelihood"
    BINDINGS: ClassVar[list[BindingType]] = [*keys.bindings("likelihood")]
    FIELDS = tuple(f"likelihood.{name}" for name in commands.LIKELIHOOD)
    TITLE, PURPOSE = "Likelihood", "to measure"
    LAUNCH = Content("Measure  ^l")

    def _command(self) -> tuple[str, ...] | None:
        config, checkpoint = self._config, self._chosen
        if config is None or checkpoint is None or self._trained is None:
            return None
        return commands.likelihood(
            str(self._run.id),
            checkpoint.step,
            config.likelihood,
            self._trained.likelihood,
            home=self.cockpit.home_option,
        )

    def _what(self, config: Config) -> Text:
        settings, dataset = config.likelihood, config.data.dataset
        test = settings.resolved_test(datafiles.splits(dataset))
        parts = [f"{count:,} {name}" for count, name in ((settings.train, "train"), (test, "test")) if count]
        told = f"Bits per dimension of {' and '.join(parts)} images of {protocols.dataset(dataset)}, "
        asked = settings.resolved_timesteps(config.diffusion.timesteps)
        told += f"{asked:,} evaluations of the network each."
        return Text(told, style=self.cockpit.ink.dim)

    def _maker(self, command: tuple[str, ...]) -> Callable[[], RunDirectory]:
        config, checkpoint = self._config, self._chosen
        assert config is not None
        assert checkpoint is not None
        home, path, likelihood = self.cockpit.home, Path(self._run.path), config.likelihood

        def make() -> RunDirectory:
            from runs.directory import RunDirectory
            from runs.launch import new_likelihood

            return new_likelihood(home, RunDirectory(path), checkpoint.step, likelihood, command=command)

        return make
