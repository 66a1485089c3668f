"""Marked runs side by side: what differs between them, their losses, their latest samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from rich.table import Table
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widget import Widget
from textual.widgets import Static

from runs import caveats, humanize, likelihoods
from runs.rows import Bucket, RunDetail
from runs.text import printable, shorten_name
from tui import keys, protocols, scores
from tui.columns import number, status_text
from tui.legible import fit, image_size
from tui.panes.charts import SMOOTHINGS
from tui.panes.config import value_text
from tui.panes.samples import caption
from tui.screens.base import Place
from tui.theme import SERIES
from tui.widgets.chart import ChartSeries, LineChart
from tui.widgets.filmstrip import Filmstrip, Frame

#: Grids side by side; more would be too small to see anything.
STRIPS = 4
#: Cells of the table: the names of the settings at most and at least, a run at most and where there is room.
LONGEST_NAME, SHORTEST_NAME, WIDEST, COMFORT = 23, 14, 28, 10
GAP = 2

Answer = tuple[list[RunDetail], dict[int, list[Bucket]]]


class CompareScreen(Place):
    """Two or more runs; a run has the same colour everywhere."""

    place = "compare"
    BINDINGS: ClassVar[list[BindingType]] = [*keys.bindings("compare")]

    def __init__(self, run_ids: Sequence[int]) -> None:
        super().__init__()
        self._ids = list(run_ids)
        self._details: list[RunDetail] = []
        self._all = False

    def body(self) -> Iterable[Widget]:
        yield CompareBody(min(len(self._ids), STRIPS))

    def on_mount(self) -> None:
        self.headline("Runs › Compare", f"{len(self._ids)} runs")
        chart = self.query_one(LineChart)
        chart.smoothing, chart.y_log = self.cockpit.settings.smoothing, self.cockpit.settings.log_scale
        self.query_one("#differences", VerticalScroll).focus()

    # -- data ---------------------------------------------------------------------------------------

    def refresh_data(self) -> None:
        store, ids = self.cockpit.store, self._ids
        first, last = self.query_one(LineChart).range or (None, None)

        def read() -> Answer:
            details = store.details(ids)
            losses = {i: store.catalogue.series(i, "loss", 240, first=first, last=last) for i in ids}
            return details, losses

        self.background("compare", read, self._show)

    def _show(self, answer: Answer) -> None:
        self._details, losses = answer
        self.query_one(LineChart).set_series(
            [
                ChartSeries(printable(detail.row.name), self._colour(i), losses[detail.row.id])
                for i, detail in enumerate(self._details)
            ]
        )
        self._show_table()
        for strip, detail in zip(self.query(Filmstrip), self._details, strict=False):
            frames = [
                Frame(Path(s.path), f"{printable(detail.row.name)} · {caption(s)}", s.images_seen)
                for s in detail.samples
            ]
            if tuple(frames) != strip.frames:
                if not strip.frames and detail.samples:
                    self.call_after_refresh(fit, strip.picture, image_size(detail), detail.samples[-1].count)
                strip.set_frames(frames)

    def _colour(self, place: int) -> str:
        colours = SERIES.get(self.app.theme, SERIES["dark"])
        return colours[place % len(colours)]

    # -- tables -------------------------------------------------------------------------------------

    def _show_table(self) -> None:
        """What came of the runs, then what differs in their configuration (or all of it), in one table."""
        ink = self.cockpit.ink
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="", expand=False)
        keys_wide, wide = self._widths()
        table.add_column(style=ink.dim, no_wrap=True, width=keys_wide)
        for i, detail in enumerate(self._details):
            name = Text(
                f"● {shorten_name(printable(detail.row.name), wide - 2)}", style=self._colour(i), no_wrap=True
            )
            table.add_column(name, no_wrap=True, overflow="ellipsis", min_width=min(8, wide), max_width=wide)
        self._summary(table)
        table.add_row()
        table.add_row(Text("all values" if self._all else "what differs", style=f"bold {ink.accent}"))
        before = table.row_count
        self._differences(table)
        if table.row_count == before:
            table.add_row(Text("nothing"))
        self.query_one("#comparison", Static).update(table)

    def _widths(self) -> tuple[int, int]:
        """(columns of the settings' names, at most of a run), so that all runs are in sight."""
        room, count = self.query_one("#comparison").size.width, max(1, len(self._details))
        for names in range(LONGEST_NAME, SHORTEST_NAME, -1):
            wide = (room - names - GAP) // count - GAP
            if wide >= COMFORT:
                return names, min(wide, WIDEST)
        return SHORTEST_NAME, max(3, (room - SHORTEST_NAME - GAP) // count - GAP)

    def on_resize(self) -> None:
        if self._details:
            self.call_after_refresh(self._show_table)

    def _summary(self, table: Table) -> None:
        ink, rows = self.cockpit.ink, [detail.row for detail in self._details]
        table.add_row("status", *(status_text(r.state, ink) for r in rows))
        table.add_row("step", *(Text("–" if r.step is None else f"{r.step:,}") for r in rows))
        table.add_row("images seen", *(Text(humanize.count(r.images_seen)) for r in rows))
        table.add_row("loss", *(number(r.loss, ink) for r in rows))
        table.add_row("speed", *(Text(humanize.rate(r.images_per_second)) for r in rows))
        self._scores(table)
        bits = likelihoods.contrast([detail.likelihood for detail in self._details])
        for name, values in bits.items():
            told = (humanize.UNKNOWN if value is None else value.replace(" ", "") for value in values)
            table.add_row(name, *map(Text, told))  # without spaces, as the columns are narrow

    def _scores(self, table: Table) -> None:
        """The FIDs as `compare` chooses them, each with its floor, and what keeps them from being ranked."""
        from runs.cli.compare import Fids

        ink, fids = self.cockpit.ink, Fids.of(self._details)
        by_run = zip(self._details, fids.protocols, strict=True)
        chosen = [None if protocol is None else d.decisive_under(protocol) for d, protocol in by_run]
        known = [found for found in chosen if found is not None]
        if not known:
            return
        unequal = fids.comparable is False
        table.add_row(
            "FID (unequal)" if unequal else "FID", *(Text(scores.text_of(f, "fid")) for f in chosen)
        )
        floors = [found.floor if found else None for found in chosen]
        of = [printable(caveats.short(found.fid_protocol if found else None)) for found in chosen]
        table.add_row("FID of", *(Text(words or humanize.UNKNOWN, style=ink.dim) for words in of))
        at = [humanize.UNKNOWN if found is None else f"{found.step:,}" for found in chosen]
        table.add_row("FID at step", *(Text(words, style=ink.dim) for words in at))
        table.add_row("its floor", *(Text(scores.text_of(floor, "fid"), style=ink.dim) for floor in floors))
        for key, texts in protocols.contrasts([found.protocol for found in known]).items() if unequal else ():
            told = iter(texts)
            words = [humanize.UNKNOWN if found is None else next(told) for found in chosen]
            table.add_row(f"! {printable(key)}", *(Text(word, style=ink.warning) for word in words))

    def _differences(self, table: Table) -> None:
        keys_wide = self._widths()[0]
        ink, flat = self.cockpit.ink, [_flat(detail.config) for detail in self._details]
        for key in dict.fromkeys(key for values in flat for key in values):
            texts = [value_text(values.get(key)) for values in flat]
            differs = len(set(texts)) > 1
            if differs or self._all:
                style = ink.strong if differs else ink.dim
                short = key if len(key) <= keys_wide else "…" + key[1 - keys_wide :]
                table.add_row(Text(short), *(Text(text, style=style) for text in texts))

    # -- keys ---------------------------------------------------------------------------------------

    def action_all(self) -> None:
        self._all = not self._all
        self._show_table()

    def action_log_scale(self) -> None:
        chart = self.query_one(LineChart)
        chart.y_log = not chart.y_log
        self.cockpit.remember(log_scale=chart.y_log)

    def action_smoothing(self) -> None:
        chart = self.query_one(LineChart)
        chart.smoothing = next((s for s in SMOOTHINGS if s > chart.smoothing + 1e-6), SMOOTHINGS[0])
        self.cockpit.remember(smoothing=chart.smoothing)

    def action_earlier(self) -> None:
        self._scrub(-1)

    def action_later(self) -> None:
        self._scrub(1)

    def action_zoom(self) -> None:
        for strip in self.query(Filmstrip):
            strip.action_zoom()

    def _scrub(self, by: int) -> None:
        """The strip with most grids leads; the others show what was drawn after as many images seen."""
        strips = [strip for strip in self.query(Filmstrip) if strip.frames]
        if strips:
            max(strips, key=lambda strip: len(strip.frames)).action_step(by)

    @on(Filmstrip.Scrubbed)
    def _scrubbed(self, event: Filmstrip.Scrubbed) -> None:
        for strip in self.query(Filmstrip):
            if strip is not event.strip and event.frame.x is not None:
                strip.scrub_to(x=event.frame.x)

    @on(LineChart.RangeChanged)
    def _range_changed(self) -> None:
        self.refresh_data()


class CompareBody(Vertical):
    """Tables and chart above, the grids below; in a narrow terminal one below the other, scrolled."""

    def __init__(self, strips: int) -> None:
        super().__init__(classes="-many" if strips > 2 else "")
        self._strips = strips

    def compose(self) -> ComposeResult:
        with Horizontal(id="upper"):
            with VerticalScroll(id="differences"):
                yield Static(id="comparison", markup=False)
            yield LineChart("loss", id="losses")
        with Horizontal(id="strips"):
            for _ in range(self._strips):
                yield Filmstrip(alt="no samples")


def _flat(config: dict[str, Any]) -> dict[str, Any]:
    """{"training.steps": …} of a configuration by sections."""
    return {
        f"{section}.{name}": value
        for section, values in config.items()
        if isinstance(values, dict)
        for name, value in values.items()
    }
