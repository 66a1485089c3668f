"""A run that draws images: first of all one watches them appear."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from textual.binding import BindingType

from tui import keys
from tui.panes import making
from tui.panes.base import Pane
from tui.screens.childrun import ChildScreen


class SamplingScreen(ChildScreen):
    """x_t and the predicted x_0 while they are denoised, then the grid."""

    place = "sampling"
    BINDINGS: ClassVar[list[BindingType]] = [*keys.bindings("sampling")]
    TABS: ClassVar[Mapping[str, Callable[[], Pane]]] = {
        "denoising": making.denoising,
        "log": making.log,
        "config": making.config,
        "about": making.about,
    }

    def action_copy_path(self) -> None:
        grid = self._detail.samples[-1].path if self._detail and self._detail.samples else self._run.path
        self.cockpit.copy(grid, "Path")
