"""The run under the cursor: its latest samples and its loss."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.widgets import Static

from runs import humanize
from runs.rows import Bucket, RunDetail, RunRow
from runs.text import printable
from tui.columns import fraction, name_text, number, status_text
from tui.screens.base import Background
from tui.theme import Ink

if TYPE_CHECKING:
    from tui.app import DdpmApp


class Preview(Background, Vertical):
    """Stands beside the table where there is room."""

    run: RunRow | None = None

    def compose(self) -> ComposeResult:
        from tui.widgets.chart import LineChart
        from tui.widgets.picture import Picture

        yield Static(id="preview-head", markup=False)
        with Container(id="preview-body"):
            yield Picture(id="preview-picture", max_columns=64)
            chart = LineChart("loss", id="preview-chart")
            chart.can_focus = False
            yield chart

    def head(self, run: RunRow | None) -> None:
        """The lines that are known without reading anything."""
        ink = Ink.of(self.app.theme_variables)
        self.query_one("#preview-head", Static).update(Text() if run is None else _head(run, ink))
        if run is None or self.run is None or run.id != self.run.id:
            self.set_class(True, "-waiting")

    def load(self, run: RunRow | None) -> None:
        """Reads the run's samples and curve."""
        self.run = run
        if run is None:
            self.set_class(True, "-waiting")
            return
        store = cast("DdpmApp", self.app).store

        def read() -> tuple[RunDetail, list[Bucket], int | None]:
            detail = store.detail(run.id)
            return detail, store.series(run.id, ["loss"], 120)["loss"], store.image_size(detail)

        self.background("preview", read, self._show)

    def _show(self, answer: tuple[RunDetail, list[Bucket], int | None]) -> None:
        from tui import classes
        from tui.legible import fit
        from tui.scores import fid_with_floor
        from tui.widgets.chart import ChartSeries, LineChart
        from tui.widgets.picture import Picture

        detail, loss, size = answer
        if self.run is None or detail.row.id != self.run.id:
            return
        ink = Ink.of(self.app.theme_variables)
        self.set_class(False, "-waiting")
        head = _head(detail.row, ink)
        if detail.error and detail.row.status in ("failed", "lost"):
            head.append(f"\n{printable(detail.error)}", style=ink.error)
        if detail.decisive is not None:
            head.append("\n").append_text(fid_with_floor(detail.decisive, ink))
        if detail.notes:
            head.append(f"\n{printable(detail.notes)}", style=ink.dim)
        self.query_one("#preview-head", Static).update(head)
        picture = self.query_one(Picture)
        latest = detail.samples[-1] if detail.samples else None
        picture.display = latest is not None
        if latest is not None:
            picture.row_labels = classes.rows(detail.config, latest.count)
            picture.show(Path(latest.path))
            self.call_after_refresh(fit, picture, size, latest.count)
        chart = self.query_one(LineChart)
        chart.display = bool(loss)
        chart.smoothing = cast("DdpmApp", self.app).settings.smoothing
        chart.set_series([ChartSeries("loss", 0, loss)])


def _head(run: RunRow, ink: Ink) -> Text:
    text = name_text(run, ink)
    text.stylize("bold")
    text.append("\n").append_text(status_text(run.state, ink))
    if run.waits_for is not None:
        text.append(f"  waits for #{run.waits_for} to end", style=ink.text)
    elif run.preparing is not None:
        text.append(f"  reference {run.preparing:.0%}", style=ink.text)
    elif run.total_steps:
        share = fraction(run)
        text.append(f"  {humanize.count(run.step)} of {humanize.count(run.total_steps)}", style=ink.text)
        text.append("" if share is None else f"  {share:.0%}", style=ink.dim)
    if run.status == "running" and run.seconds_left is not None:
        text.append(f"  {humanize.duration(run.seconds_left)} left", style=ink.dim)
    if run.loss is not None:
        text.append("  loss ", style=ink.dim).append_text(number(run.loss, ink))
    if run.tags:
        text.append(f"\n{printable(' '.join(run.tags))}", style=ink.accent)
    return text
