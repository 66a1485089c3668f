"""A run that measures likelihood: its numbers and their curve while they come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from rich.text import Text
from textual.binding import BindingType

from runs import likelihoods
from runs.rows import RunRow
from tui import keys
from tui.panes import making
from tui.panes.base import Pane
from tui.screens.childrun import ChildScreen
from tui.theme import Ink


class MeasuringScreen(ChildScreen):
    """Bits per dimension, log, configuration, provenance."""

    place = "measuring"
    BINDINGS: ClassVar[list[BindingType]] = [*keys.bindings("measuring")]
    TABS: ClassVar[Mapping[str, Callable[[], Pane]]] = {
        "bits": making.likelihood,
        "log": making.log,
        "config": making.config,
        "about": making.about,
    }

    def _progress(self, run: RunRow, ink: Ink) -> Text:
        text = super()._progress(run, ink)
        found = self._detail.likelihood if self._detail and self.size.width >= 100 else ()
        return text.append_text(
            self._facts([(f"{row.split} ", f"{likelihoods.number(row)} bits/dim") for row in found], ink)
        )
