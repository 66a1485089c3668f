"""The metrics of a training run as charts that zoom and point together, beside them the latest samples."""

from __future__ import annotations

from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Grid, Horizontal, Vertical
from textual.widgets import Static

from runs.rows import METRICS, Bucket, RunDetail, RunRow
from tui import classes
from tui.legible import fit, image_size
from tui.panes.base import Pane
from tui.widgets.chart import ChartSeries, LineChart
from tui.widgets.picture import Picture

TITLES = {
    "loss": "loss",
    "learning_rate": "learning rate",
    "gradient_norm": "gradient norm",
    "images_per_second": "images/s",
}

#: What `s` goes through: weights of the moving average.
SMOOTHINGS = (0.0, 0.6, 0.9, 0.97, 0.99)


class ChartsPane(Pane):
    """Loss above, the others below; the latest samples at the side where there is room."""

    ACTS = frozenset({"log_scale", "smoothing"})

    def __init__(self) -> None:
        super().__init__()
        self._run: RunRow | None = None
        self._read: tuple[object, ...] = ()
        self._range: tuple[float | None, float | None] = (None, None)

    def compose(self) -> ComposeResult:
        settings = self.cockpit.settings
        with Horizontal():
            with Grid(id="charts"):
                for metric in METRICS:
                    chart = LineChart(TITLES[metric], id=metric)
                    if metric in ("loss", "gradient_norm"):
                        chart.y_log = settings.log_scale
                    yield chart
            with Vertical(id="latest"):
                yield Static(id="latest-title", markup=False)
                yield Picture(id="latest-picture", max_columns=80)

    def on_mount(self) -> None:
        self.query_one("#loss", LineChart).smoothing = self.cockpit.settings.smoothing

    def enter(self) -> None:
        self.query_one("#loss").focus()

    def show(self, detail: RunDetail) -> None:
        self._run = detail.row
        moved = (detail.row.id, detail.row.step, detail.row.images_seen)
        if moved != self._read:
            self._read = moved
            self._load()
        latest = detail.samples[-1] if detail.samples else None
        self.query_one("#latest").set_class(latest is None, "-empty")
        title = "no samples yet" if latest is None else f"samples at step {latest.step:,}"
        self.query_one("#latest-title", Static).update(title)
        if latest is not None:
            picture = self.query_one(Picture)
            picture.row_labels = classes.rows(detail.config, latest.count)
            picture.show(Path(latest.path))
            self.call_after_refresh(fit, picture, image_size(detail), latest.count)

    def on_resize(self) -> None:
        if self._run is not None:
            self._load()

    def _load(self) -> None:
        run, store, (first, last) = self._run, self.cockpit.store, self._range
        if run is None:
            return
        buckets = max(60, self.size.width)

        def read() -> dict[str, list[Bucket]]:
            return {m: store.catalogue.series(run.id, m, buckets, first=first, last=last) for m in METRICS}

        self.background("series", read, self._draw)

    def _draw(self, series: dict[str, list[Bucket]]) -> None:
        for metric, points in series.items():
            self.query_one(f"#{metric}", LineChart).set_series([ChartSeries(TITLES[metric], 0, points)])

    @on(LineChart.RangeChanged)
    def _range_changed(self, event: LineChart.RangeChanged) -> None:
        """Finer points of the part in view, in all charts."""
        self._range = (event.first, event.last)
        for chart in self.query(LineChart):
            if chart is not event.chart:
                chart.set_range(event.first, event.last)
        self._load()

    @on(LineChart.CursorMoved)
    def _cursor_moved(self, event: LineChart.CursorMoved) -> None:
        for chart in self.query(LineChart):
            if chart is not event.chart and chart.cursor_x != event.x:
                chart.cursor_x = event.x

    def action_log_scale(self) -> None:
        """Loss and gradient norm on a logarithmic axis, or on a linear one."""
        log = not self.query_one("#loss", LineChart).y_log
        for metric in ("loss", "gradient_norm"):
            self.query_one(f"#{metric}", LineChart).y_log = log
        self.cockpit.remember(log_scale=log)

    def action_smoothing(self) -> None:
        chart = self.query_one("#loss", LineChart)
        chart.smoothing = next((s for s in SMOOTHINGS if s > chart.smoothing + 1e-6), SMOOTHINGS[0])
        self.cockpit.remember(smoothing=chart.smoothing)
