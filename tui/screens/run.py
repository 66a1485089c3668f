"""A training run: charts, samples, scores, checkpoints, log, configuration, provenance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from textual.binding import BindingType

from tui import keys
from tui.panes import making
from tui.panes.base import Pane
from tui.screens.anyrun import AnyRunScreen


class RunScreen(AnyRunScreen):
    """Watch it, stop it, go on with it, draw images with it, evaluate it."""

    place = "run"
    BINDINGS: ClassVar[list[BindingType]] = [*keys.bindings("run")]
    TABS: ClassVar[Mapping[str, Callable[[], Pane]]] = {
        "charts": making.charts,
        "samples": making.samples,
        "scores": making.evaluation,
        "checkpoints": making.checkpoints,
        "log": making.log,
        "config": making.config,
        "about": making.about,
    }

    def can(self, action: str) -> bool:
        if action in ("from_weights", "sample", "evaluate"):
            return bool(self._detail and self._detail.checkpoints)
        return super().can(action)

    def chosen_step(self) -> int | None:
        return self.pane.step() if self.pane is not None else None

    def action_from_weights(self) -> None:
        from tui.screens.new import NewScreen

        if self._detail and self._detail.checkpoints:
            self.app.push_screen(NewScreen(clone=self._run, start=self._detail.checkpoints[-1].step))
