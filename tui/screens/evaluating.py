"""A run that evaluates a checkpoint: how far it is, then its scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from rich.text import Text
from textual.binding import BindingType

from runs import humanize
from runs.rows import RunRow
from tui import keys, scores
from tui.columns import rail
from tui.panes import making
from tui.panes.base import Pane
from tui.screens.childrun import ChildScreen
from tui.theme import Ink


class EvaluatingScreen(ChildScreen):
    """Stages and scores, the first of the images, log, configuration, provenance."""

    place = "evaluating"
    BINDINGS: ClassVar[list[BindingType]] = [*keys.bindings("evaluating")]
    TABS: ClassVar[Mapping[str, Callable[[], Pane]]] = {
        "scores": making.scores,
        "samples": making.samples,
        "log": making.log,
        "config": making.config,
        "about": making.about,
    }

    def _progress(self, run: RunRow, ink: Ink) -> Text:
        """The stage it is in; when it is done, what it found."""
        detail = self._detail
        if detail is not None and detail.evaluations:
            found = detail.evaluations[-1]
            text = scores.fid_with_floor(found, ink)
            return text.append(f" · {humanize.count(found.samples)} images", style=ink.dim)
        now = detail.evaluating if detail is not None else None
        if now is None or run.status != "running":
            return super()._progress(run, ink)
        share = min(1.0, now.done / now.total) if now.total else None
        text = rail(share, self.rail_width, ink.state("running"), ink)
        text.append(f"  {now.stage} ", style=ink.dim).append(f"{now.done:,}", style=ink.strong)
        text.append(f" of {now.total:,}", style=ink.dim)
        if now.seconds_left is not None:
            text.append(" · ", style=ink.faint)
            text.append(f"{humanize.duration(now.seconds_left)} left", style=ink.text)
        return text
