"""What a line chart draws: series of buckets turned into a grid of braille cells. No Textual here."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from runs.rows import Bucket
from tui.widgets.axes import Scale, bounds, linear_ticks, log_ticks, tick_labels
from tui.widgets.braille import BrailleCanvas, trace
from tui.widgets.smoothing import smooth

#: One per series, in turn: they stand in the legend and at the end of each line, so that colour is not alone.
MARKERS = "●▲■◆▼★"

#: A distance of more than this many usual ones between two points is a gap.
_GAP = 5.0

#: The weight of smoothing is meant per this part of the whole range of x.
_SMOOTHED_IN = 200


@dataclass(frozen=True, slots=True)
class ChartSeries:
    """One line of a chart.

    `colour` is an index into the chart's own colours (stable: give a run the same index everywhere) or a
    colour such as "#00af5f". `points` are in ascending x. A `dim` series stands behind, without a legend.
    Of a `marked` series every point has its marker, and the line goes on over any gap; a `dashed` one is a
    line to compare with.
    """

    name: str
    colour: int | str = 0
    points: Sequence[Bucket] = ()
    dim: bool = False
    marked: bool = False
    dashed: bool = False

    def nearest(self, x: float) -> Bucket | None:
        """The point nearest to `x`."""
        at = bisect_left(self.points, x, key=lambda p: p.x)
        around = self.points[max(at - 1, 0) : at + 1]
        return min(around, key=lambda p: abs(p.x - x), default=None)


@dataclass(frozen=True, slots=True)
class Layer:
    """A series as it is drawn: `band` strokes low to high, else only the means are joined."""

    series: ChartSeries
    dim: bool
    band: bool
    source: ChartSeries  #: as it was set; `series` may be smoothed


@dataclass(slots=True)
class Plot:
    """A drawn chart: cells, axes and where values are. Rows count from the top of the plot."""

    columns: int
    rows: int
    x: Scale
    y: Scale  #: dot 0 is the lowest value, at the bottom
    canvas: BrailleCanvas
    layers: list[Layer]
    y_labels: dict[int, str]  #: row -> label
    x_ticks: dict[int, str]  #: column -> label
    ends: dict[tuple[int, int], tuple[str, int]] = field(default_factory=dict)
    #: (column, row) -> (marker, layer): the last point of each line when there are several

    def column(self, value: float) -> int | None:
        """The column of cells in which `value` of x falls, if it is in view."""
        column = round(self.x.dot(value)) // 2
        return column if 0 <= column < self.columns else None

    def value(self, column: int) -> float:
        """The value of x in the middle of a column of cells."""
        return self.x.value(column * 2 + 0.5)


def layers_of(series: Sequence[ChartSeries], smoothing: float) -> list[Layer]:
    """What to draw, back to front: dim lines, raw values behind smoothed, then the lines, first on top."""
    behind, lines = [], []
    single = sum(not s.dim for s in series) == 1
    whole = bounds(p.x for s in series for p in s.points) or (0.0, 1.0)
    per = (whole[1] - whole[0]) / _SMOOTHED_IN
    for one in series:
        if one.dim:
            behind.append(Layer(one, dim=True, band=True, source=one))
        elif smoothing > 0:
            behind.append(Layer(one, dim=True, band=single, source=one))
            smoothed = ChartSeries(one.name, one.colour, smooth(one.points, smoothing, per))
            lines.append(Layer(smoothed, dim=False, band=False, source=one))
        else:
            if single:
                behind.append(Layer(one, dim=True, band=True, source=one))
            lines.append(Layer(one, dim=False, band=False, source=one))
    return behind[::-1] + lines[::-1]


@dataclass(frozen=True, slots=True)
class Span:
    """The ranges of x and y in view, and the unbroken stretches of each layer within."""

    x: tuple[float, float]
    y: tuple[float, float]
    parts: list[list[list[Bucket]]]


def span_of(layers: Sequence[Layer], log: bool, view: tuple[float, float] | None) -> Span | None:
    """What there is to draw; `view` limits x. None where there is nothing.

    Without a view x begins at 0 when the first point is near it: the axis starts with a round number.
    """
    x = view or bounds(p.x for layer in layers for p in layer.series.points if _drawable(p, log))
    if x is None:
        return None
    if view is None and 0 < x[0] < x[1] * 0.3:
        x = (0.0, x[1])
    parts = [
        list(_stretches(_visible(layer.series.points, x), log, whole=layer.series.marked)) for layer in layers
    ]
    values: list[float] = []
    for layer, stretches in zip(layers, parts, strict=True):
        inside = [p for part in stretches for p in part if x[0] <= p.x <= x[1]]
        values += [p.mean for p in inside]
        if layer.band:
            values += [p.low for p in inside]
            values += [p.high for p in inside]
    y = bounds(values, log)
    return None if y is None else Span(x, y, parts)


def draw(layers: list[Layer], span: Span, columns: int, rows: int, *, log: bool = False) -> Plot:
    """The plot of `layers` in `columns` × `rows` cells, at least 1 × 1."""
    canvas = BrailleCanvas(columns, rows, front=sum(layer.dim for layer in layers))
    x, y = Scale(*span.x, canvas.width), Scale(*span.y, canvas.height, log)
    labels = y_labels(span, rows, log)
    plot = Plot(columns, rows, x, y, canvas, layers, labels, _x_ticks(x, columns))
    for number, (layer, parts) in enumerate(zip(layers, span.parts, strict=True)):
        for part in parts:
            _draw_part(plot, part, number, layer.band)
    _mark_ends(plot, span)
    return plot


def _drawable(point: Bucket, log: bool) -> bool:
    return math.isfinite(point.mean) and (point.mean > 0 or not log)


def _visible(points: Sequence[Bucket], view: tuple[float, float]) -> Sequence[Bucket]:
    """The points in view, and one more at each side so that lines leave the chart at its edge."""
    first = bisect_left(points, view[0], key=lambda p: p.x)
    last = bisect_right(points, view[1], key=lambda p: p.x)
    return points[max(first - 1, 0) : last + 1]


def _stretches(points: Sequence[Bucket], log: bool, whole: bool = False) -> Iterator[list[Bucket]]:
    """Stretches without a gap: non-finite points end one, and so does a leap in x unless it is `whole`."""
    distances = sorted(b.x - a.x for a, b in itertools.pairwise(points))
    leap = distances[len(distances) // 2] * _GAP if len(distances) >= 8 and not whole else math.inf
    part: list[Bucket] = []
    for point in points:
        if part and (not _drawable(point, log) or point.x - part[-1].x > leap > 0):
            yield part
            part = []
        if _drawable(point, log):
            part.append(point)
    if part:
        yield part


def _draw_part(plot: Plot, part: list[Bucket], layer: int, band: bool) -> None:
    """A stretch as one stroke per column of dots: the line through the means, and low to high of a band."""
    canvas, top = plot.canvas, plot.canvas.height - 1
    across, start = plot.x.line()
    up, base = plot.y.line()
    of = math.log if plot.y.log else float
    lows, highs = [canvas.height] * canvas.width, [-1] * canvas.width
    trace([(p.x * across + start, top - base - of(p.mean) * up) for p in part], canvas.width, lows, highs)
    if band:
        for p in part:
            x = round(p.x * across + start)
            if 0 <= x < canvas.width and math.isfinite(p.low) and math.isfinite(p.high):
                lows[x] = min(lows[x], round(top - plot.y.dot(p.high)))
                highs[x] = max(highs[x], round(top - plot.y.dot(p.low)))
    if plot.layers[layer].series.dashed:  # every other cell, which is two dots wide
        lows = [low if x % 4 < 2 else canvas.height for x, low in enumerate(lows)]
        highs = [high if x % 4 < 2 else -1 for x, high in enumerate(highs)]
    canvas.strokes(lows, highs, layer)


def _mark_ends(plot: Plot, span: Span) -> None:
    """The marker of each line at its last point, when there is more than one line; at all of a marked one."""
    lines = [n for n, layer in enumerate(plot.layers) if not layer.dim]
    for place, number in enumerate(lines):  # the first series is the last line
        points = [point for part in span.parts[number] for point in part]
        if not plot.layers[number].series.marked:
            points = points[-1:] if len(lines) > 1 else []
        for point in points:
            column = plot.column(point.x)
            row = round(plot.canvas.height - 1 - plot.y.dot(point.mean)) // 4
            if column is not None and 0 <= row < plot.rows:
                plot.ends[column, row] = (marker(len(lines) - 1 - place), number)


def marker(index: int) -> str:
    """The marker of the line with this place in the legend."""
    return MARKERS[index % len(MARKERS)]


def y_labels(span: Span, rows: int, log: bool) -> dict[int, str]:
    """Row of cells (from the top) -> label of the tick in it."""
    scale = Scale(*span.y, rows * 4, log)
    ticks = (log_ticks if log else linear_ticks)(*span.y, min(max(2, rows // 2), 6))
    labels = zip(ticks, tick_labels(ticks), strict=True)
    return {(rows * 4 - 1 - round(scale.dot(tick))) // 4: label for tick, label in labels}


def _x_ticks(scale: Scale, columns: int) -> dict[int, str]:
    """Column of cells -> label of the tick in it."""
    ticks = linear_ticks(scale.low, scale.high, max(2, columns // 10))
    labels = zip(ticks, tick_labels(ticks), strict=True)
    return {round(scale.dot(tick)) // 2: label for tick, label in labels}
