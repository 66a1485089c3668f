"""A line chart in braille dots: several series, linear or logarithmic, with a crosshair and zoom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import RenderResult
from textual.binding import Binding, BindingType
from textual.color import Color
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from runs.rows import Bucket
from tui.widgets import chart_frame
from tui.widgets.axes import bounds, zoomed
from tui.widgets.chart_frame import Frame
from tui.widgets.chart_plot import ChartSeries, Layer, layers_of

__all__ = ["ChartSeries", "LineChart"]

_COLOURS = 6  #: component classes linechart--series-0 …


class LineChart(Widget, can_focus=True):
    """Series of buckets as lines over a common x.

    Hand it data with `set_series`; set `title`, `caption` (what x counts), `y_log` and `smoothing` at any
    time. ← → move the crosshair (home, end: first, last point; escape hides it), + - zoom about it, 0 shows
    all. A zoom shows at once what is there and posts `RangeChanged`, so that finer buckets of that range can
    be handed in by `set_series`, which keeps the zoom.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "linechart--title",
        "linechart--name",
        "linechart--muted",
        "linechart--axis",
        "linechart--grid",
        "linechart--cursor",
        *(f"linechart--series-{i}" for i in range(_COLOURS)),
    }
    DEFAULT_CSS = """
    LineChart {
        height: 1fr;
        min-height: 5;
        & > .linechart--title { color: $foreground; text-style: bold; }
        & > .linechart--name { color: $foreground; }
        & > .linechart--muted { color: $foreground 60%; }
        & > .linechart--axis { color: $foreground 30%; }
        & > .linechart--grid { color: $foreground 14%; }
        & > .linechart--cursor { color: $foreground 50%; }
        & > .linechart--series-0 { color: $primary; }
        & > .linechart--series-1 { color: $accent; }
        & > .linechart--series-2 { color: $success; }
        & > .linechart--series-3 { color: $warning; }
        & > .linechart--series-4 { color: $secondary; }
        & > .linechart--series-5 { color: $error; }
        &:focus > .linechart--title { color: $accent; text-style: bold underline; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "Crosshair", show=False),
        Binding("right", "move(1)", "Crosshair", show=False),
        Binding("home", "move_to(0)", "First point", show=False),
        Binding("end", "move_to(-1)", "Last point", show=False),
        Binding("plus,equals_sign", "zoom(0.5)", "Zoom in", show=False),
        Binding("minus", "zoom(2.0)", "Zoom out", show=False),
        Binding("0", "zoom_reset", "Whole range", show=False),
        Binding("escape", "hide_cursor", "Hide crosshair", show=False),
    ]

    title: reactive[str] = reactive("")
    caption: reactive[str] = reactive("images seen")
    empty_text: reactive[str] = reactive("no metrics yet")
    y_log: reactive[bool] = reactive(False)
    #: Weight of `smoothing.smooth` in [0, 1); above 0 the raw values stand dim behind the smoothed line.
    smoothing: reactive[float] = reactive(0.0)
    #: x under the crosshair; None hides it.
    cursor_x: reactive[float | None] = reactive(None)

    class RangeChanged(Message):
        """The part of x in view changed by a key; both None: all of it."""

        def __init__(self, chart: LineChart, first: float | None, last: float | None) -> None:
            super().__init__()
            self.chart = chart
            self.first = first
            self.last = last

        @property
        def control(self) -> LineChart:
            return self.chart

    class CursorMoved(Message):
        """The crosshair stands at another x; None: it is hidden."""

        def __init__(self, chart: LineChart, x: float | None) -> None:
            super().__init__()
            self.chart = chart
            self.x = x

        @property
        def control(self) -> LineChart:
            return self.chart

    def __init__(
        self,
        title: str = "",
        *,
        caption: str = "images seen",
        y_log: bool = False,
        smoothing: float = 0.0,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - as Textual names it
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.set_reactive(LineChart.title, title)
        self.set_reactive(LineChart.caption, caption)
        self.set_reactive(LineChart.y_log, y_log)
        self.set_reactive(LineChart.smoothing, smoothing)
        self._series: tuple[ChartSeries, ...] = ()
        self._layers: list[Layer] = []
        self._view: tuple[float, float] | None = None
        self._whole: tuple[float, float] | None = None  #: range of x of all that was ever set
        self._frame: Frame | None = None
        self._styles: dict[str, Style] = {}

    # -- data ---------------------------------------------------------------------------------------

    def set_series(self, series: Sequence[ChartSeries]) -> None:
        """Show these lines; the first is in front, and the crosshair steps along it.

        Zoom and crosshair stay as they are.
        """
        self._series = tuple(series)
        known = () if self._view is None or self._whole is None else self._whole
        self._whole = bounds([*known, *(p.x for s in self._series for p in s.points)])
        self._layers = layers_of(self._series, self.smoothing)
        self._redraw()

    @property
    def series(self) -> tuple[ChartSeries, ...]:
        """What was set."""
        return self._series

    @property
    def range(self) -> tuple[float, float] | None:
        """The part of x in view; None: all."""
        return self._view

    def set_range(self, first: float | None, last: float | None) -> None:
        """Show this part of x (both None: all) without posting a message; for charts that move together."""
        self._view = None if first is None or last is None or last <= first else (first, last)
        self._redraw()

    @property
    def lines(self) -> list[ChartSeries]:
        """The lines in the order of the legend, smoothed where `smoothing` is."""
        return [layer.series for layer in reversed(self._layers) if not layer.dim]

    def values_at_cursor(self) -> list[tuple[str, Bucket | None]]:
        """(name, point) of each line: nearest to the crosshair, else the last."""
        return [(s.name, self._read(s)) for s in self.lines]

    def _read(self, series: ChartSeries) -> Bucket | None:
        if self.cursor_x is not None:
            return series.nearest(self.cursor_x)
        return series.points[-1] if series.points else None

    # -- drawing ------------------------------------------------------------------------------------

    def render(self) -> RenderResult:
        return ""

    def render_line(self, y: int) -> Strip:
        frame = self._current_frame()
        cursor = frame.plot.column(self.cursor_x) if frame.plot and self.cursor_x is not None else None
        segments = [Segment(text, self._style(key)) for text, key in frame.row(y, cursor)]
        ground = Style(bgcolor=self.background_colors[1].rich_color)
        return Strip(segments).adjust_cell_length(self.size.width).apply_style(ground)

    def _current_frame(self) -> Frame:
        if self._frame is None:
            self._frame = chart_frame.make(
                *self.size,
                self._layers,
                chart_frame.Labels(
                    self.title, self.caption, self.empty_text, self._notes(), self.cursor_x, self._read
                ),
                log=self.y_log,
                view=self._view,
            )
        return self._frame

    def _notes(self) -> str:
        notes = ["log" if self.y_log else "", f"smooth {self.smoothing:.2g}" if self.smoothing else ""]
        return " · ".join(n for n in [*notes, "zoomed" if self._view else ""] if n)

    def _style(self, key: str) -> Style:
        if key not in self._styles:
            self._styles[key] = self._make_style(key)
        return self._styles[key]

    def _make_style(self, key: str) -> Style:
        """The style named `key`: a component, or "line:2", "dim:#00af5f" of a series."""
        if not key:
            return Style.null()
        ground = self.background_colors[1]
        kind, _, colour = key.partition(":")
        if colour and not colour.isdigit():
            shade, bold, underline = Color.parse(colour), False, False
        else:
            part = f"series-{int(colour) % _COLOURS}" if colour else kind
            styles = self.get_component_styles(f"linechart--{part}")
            shade = ground + styles.color  # a share of the text's colour becomes a colour of its own
            bold, underline = bool(styles.text_style.bold), bool(styles.text_style.underline)
        if kind == "dim":
            shade = ground.blend(shade, 0.45)
        return Style(color=shade.rich_color, bold=bold or None, underline=underline or None)

    def _redraw(self) -> None:
        self._frame = None
        self.refresh()

    def notify_style_update(self) -> None:
        self._styles.clear()
        self._redraw()
        super().notify_style_update()

    def on_resize(self) -> None:
        self._frame = None

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return 12

    # -- reactives ----------------------------------------------------------------------------------

    def watch_title(self) -> None:
        self._redraw()

    def watch_caption(self) -> None:
        self._redraw()

    def watch_empty_text(self) -> None:
        self._redraw()

    def watch_y_log(self) -> None:
        self._redraw()

    def validate_smoothing(self, weight: float) -> float:
        return min(max(weight, 0.0), 0.999)

    def watch_smoothing(self) -> None:
        self._layers = layers_of(self._series, self.smoothing)
        self._redraw()

    def watch_cursor_x(self, x: float | None) -> None:
        if self._frame is not None:
            self._frame.relabel(x)
        self.refresh()
        self.post_message(self.CursorMoved(self, x))

    # -- crosshair and zoom -------------------------------------------------------------------------

    def _points(self) -> list[Bucket]:
        lines = self.lines
        view = self._view or (float("-inf"), float("inf"))
        return [p for p in lines[0].points if view[0] <= p.x <= view[1]] if lines else []

    def action_move(self, direction: int) -> None:
        """The crosshair to the next point that falls into another column; at first to the last point."""
        points, plot = self._points(), self._current_frame().plot
        if not points or plot is None:
            return
        if self.cursor_x is None:
            self.cursor_x = points[-1].x
            return
        here = plot.column(self.cursor_x)
        ahead = [p for p in points if (p.x - self.cursor_x) * direction > 0]
        ahead.sort(key=lambda p: p.x * direction)
        self.cursor_x = next(
            (p.x for p in ahead if plot.column(p.x) != here), ahead[-1].x if ahead else self.cursor_x
        )

    def action_move_to(self, index: int) -> None:
        """The crosshair to the first (0) or last (-1) point in view."""
        if points := self._points():
            self.cursor_x = points[index].x

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without a crosshair to hide, escape is left to the screen."""
        if action == "hide_cursor" and self.cursor_x is None:
            return False
        return super().check_action(action, parameters)

    def action_hide_cursor(self) -> None:
        """Hide the crosshair."""
        self.cursor_x = None

    def action_zoom(self, factor: float) -> None:
        """Show `factor` times as much of x, about the crosshair or, without one, at the right end."""
        if self._whole is None:
            return
        view = zoomed(self._whole, self._view or self._whole, self.cursor_x, factor)
        if view == self._whole:
            self.action_zoom_reset()
        elif view != self._view:
            self._view = view
            self._redraw()
            self.post_message(self.RangeChanged(self, *view))

    def action_zoom_reset(self) -> None:
        """Show all of x."""
        if self._view is not None:
            self._view = None
            self._redraw()
            self.post_message(self.RangeChanged(self, None, None))

    # -- mouse --------------------------------------------------------------------------------------

    def on_mouse_move(self, event: events.MouseMove) -> None:
        offset = event.get_content_offset(self)
        plot = self._current_frame().plot
        column = None if offset is None or plot is None else offset.x - self._current_frame().gutter
        if plot is None or column is None or not 0 <= column < plot.columns:
            return
        x = plot.value(column)
        near = min(self._points(), key=lambda p: abs(p.x - x), default=None)
        if near is not None:
            self.cursor_x = near.x

    def on_leave(self) -> None:
        if not self.has_focus:
            self.cursor_x = None

    def on_blur(self) -> None:
        self.cursor_x = None
