"""A run that restores images: degraded, restored, truth and spread while it works."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from rich.text import Text
from textual.binding import BindingType

from runs import quality
from runs.rows import RunRow
from tui import keys
from tui.panes import making
from tui.panes.base import Pane
from tui.screens.childrun import ChildScreen
from tui.theme import Ink


class RestoringScreen(ChildScreen):
    """Its images, log, configuration, provenance."""

    place = "restoring"
    BINDINGS: ClassVar[list[BindingType]] = [*keys.bindings("restoring")]
    TABS: ClassVar[Mapping[str, Callable[[], Pane]]] = {
        "images": making.restoring,
        "log": making.log,
        "config": making.config,
        "about": making.about,
    }

    def _progress(self, run: RunRow, ink: Ink) -> Text:
        text = super()._progress(run, ink)
        told = quality.words(self._detail.restored if self._detail else None)
        if self.size.width < 100:
            told.pop("noise", None)
        return text.append_text(self._facts([(f"{name} ", value) for name, value in told.items()], ink))

    def action_copy_path(self) -> None:
        run = self._run

        def read() -> str:
            from pathlib import Path

            from runs.restorations import out_folder

            return str(out_folder(Path(run.path)))

        self.background("folder", read, lambda folder: self.cockpit.copy(folder, "Path"))
