"""Restore images: with which checkpoint, which images, and what was done, or is to be done, to them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.binding import BindingType
from textual.content import Content

from ddpm import datafiles
from ddpm.config import Config
from ddpm.config_restoration import OF_TASK
from ddpm.configfiles import ConfigError, FieldSpec
from runs import home as homes
from runs import restorations
from runs.errors import BadValueError
from tui import commands, keys
from tui.screens.fromcheckpoint import CheckpointScreen
from tui.widgets.config_edits import ConfigEdits
from tui.widgets.config_field import ConfigField

if TYPE_CHECKING:
    from runs.directory import RunDirectory

#: Of test images that are degraded on the spot.
COUNT = 8
#: Settings of diffusion models alone: a denoiser has one step.
_OF_DIFFUSION = ("method", "steps", "samples")


class RestoreScreen(CheckpointScreen):
    """The settings of [restoration] that a person asks for, and those of the chosen task."""

    place = "restore"
    BINDINGS: ClassVar[list[BindingType]] = [*keys.bindings("restore")]
    KEYS = (
        *("task", "degrade", "sigma", "mask", "hidden", "scale", "filter", "kernel", "width", "ratio"),
        *("method", "steps", "samples", "count", "seed"),
    )
    FIELDS = tuple(f"restoration.{key}" for key in KEYS)
    TITLE, PURPOSE = "Restore", "to restore with"
    LAUNCH = Content("Restore them  ^l")
    #: What is asked for besides the configuration, by key.
    ASKED: ClassVar[dict[str, str]] = {
        "input.images": "An image, a folder of images, or a split of a data set, as in mnist:test",
        "input.out": "A new or empty folder for the results; unset: the run keeps them",
    }

    def _beginning(self, trained: Config) -> dict[str, dict[str, Any]]:
        """Test images of the run's own data, degraded on the spot: the quickest way to see what it can."""
        dataset = trained.data.dataset
        split = datafiles.splits(dataset)[-1]
        self._texts = {
            "input.images": trained.data.root or "" if dataset == "folder" else f"{dataset}:{split}",
            "input.out": "",
        }
        if self._like:
            like = super()._beginning(trained)
            self._texts["input.images"] = like.pop("input", {}).get("images", self._texts["input.images"])
            return like
        first = trained.restoration.model_copy(update={"degrade": True, "count": COUNT})
        return {"restoration": first.model_dump()}

    def _rows(self, edits: ConfigEdits) -> list[ConfigField]:
        asked = [
            ConfigField(FieldSpec(key, "text", "", True, (), "a path", words), self._texts[key])
            for key, words in self.ASKED.items()
        ]
        return [asked[0], *super()._rows(edits), asked[1]]

    def _edit(self, key: str, text: str) -> None:
        if key not in self.ASKED:
            super()._edit(key, text)
        elif self._texts[key] != text:
            self._texts[key] = text
            self._show()

    # -- what is chosen -----------------------------------------------------------------------------

    @property
    def _input(self) -> str:
        return self._texts["input.images"].strip()

    def _shown(self) -> tuple[str, ...]:
        """The settings that mean something for the chosen task and run."""
        edits, trained = self._edits, self._trained
        assert edits is not None
        assert trained is not None
        chosen = edits.texts["restoration.task"]
        others = {key for key, task in OF_TASK.items() if task != chosen}
        if not trained.diffuses:
            others |= set(_OF_DIFFUSION)
        return tuple(key for key in self.KEYS if key not in others)

    def _show_field(self, row: ConfigField, edits: ConfigEdits) -> None:
        key = row.spec.key
        if key in self.ASKED:
            row.show(False, "", self._problem_of(key))
            return
        row.display = key.partition(".")[2] in self._shown()
        row.show(edits.changed(key), "", edits.problems.get(key, "") or self._unfit().get(key, ""))

    def _problem_of(self, key: str) -> str:
        text = self._texts[key].strip()
        if key == "input.out":
            return ""
        if not text:
            return "name an image, a folder, or a data set as in mnist:test"
        if text.rpartition(":")[0] in restorations.DATASETS:
            return ""
        try:
            return "" if homes.absolute(text).exists() else "there is no such file or folder"
        except (BadValueError, OSError) as error:
            return str(error)

    def _unfit(self) -> dict[str, str]:
        """What fits neither run nor task, by key."""
        config = self._config
        if config is None:
            return {}
        try:
            restorations.check_restoration(config)
        except ConfigError as error:
            parts = (problem.partition(": ") for problem in error.problems)
            return {key: words for key, _, words in parts}
        return {}

    def _command(self) -> tuple[str, ...] | None:
        config, checkpoint, trained = self._config, self._chosen, self._trained
        if config is None or checkpoint is None or trained is None:
            return None
        if self._problem_of("input.images") or self._unfit():
            return None
        return commands.restore(
            str(self._run.id),
            checkpoint.step,
            self._input,
            config.restoration,
            trained.restoration,
            self._shown(),
            out=self._texts["input.out"].strip(),
            home=self.cockpit.home_option,
        )

    def _what(self, config: Config) -> Text:
        return Text(restoring(config), style=self.cockpit.ink.dim)

    def _maker(self, command: tuple[str, ...]) -> Callable[[], RunDirectory]:
        config, checkpoint = self._config, self._chosen
        assert config is not None
        assert checkpoint is not None
        home, path, source = self.cockpit.home, Path(self._run.path), self._input
        out = self._texts["input.out"].strip()

        def make() -> RunDirectory:
            from runs.directory import RunDirectory
            from runs.launch import new_restoration

            return new_restoration(
                home,
                RunDirectory(path),
                checkpoint.step,
                config.restoration,
                [source],
                out=Path(out) if out else None,
                command=command,
            )

        return make


def restoring(config: Config) -> str:
    """ "At most 8 images, degraded first; 20 evaluations of the network each."."""
    restoration = config.restoration
    count = "All images" if restoration.count is None else f"At most {restoration.count:,} images"
    first = (
        ", degraded first: PSNR and SSIM will be told" if restoration.degrade else ", degraded as they are"
    )
    if not config.diffuses:
        return f"{count}{first}; one evaluation of the network each."
    steps = restoration.resolved_steps(config.diffusion.timesteps) * restoration.samples
    return f"{count}{first}; {steps:,} evaluations of the network each."
