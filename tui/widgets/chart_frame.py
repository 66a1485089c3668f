"""The rows of a line chart as styled spans: title, legend, plot, axes, tick labels. No Textual here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from runs.rows import Bucket
from runs.text import printable, shorten, shorten_name, width
from tui.widgets.axes import short
from tui.widgets.braille import EMPTY
from tui.widgets.chart_plot import ChartSeries, Layer, Plot, draw, marker, span_of, y_labels

#: (text, key of its style): "" (none), the name of a component of the chart, "line:COLOUR" or "dim:COLOUR".
Span = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Labels:
    """The words of a chart. `read` gives the point of a line whose value is shown."""

    title: str
    caption: str
    empty: str
    notes: str
    cursor_x: float | None
    read: Callable[[ChartSeries], Bucket | None]


@dataclass(slots=True)
class Frame:
    """A chart of one size, ready to be shown row by row."""

    columns: int
    rows: int
    labels: Labels
    lines: list[Layer]  #: those with a place in the legend, in its order
    plot: Plot | None
    legend: bool  #: has a row of its own
    gutter: int  #: cells left of the plot, the axis line included

    def row(self, y: int, cursor: int | None) -> list[Span]:
        """The spans of row `y`; `cursor` is the column of the plot under the crosshair."""
        if y == 0:
            return self._title()
        if self.plot is None:
            return self._empty(y)
        if self.legend and y == 1:
            return self._legend(self.columns)
        y -= 1 + self.legend
        if y < self.plot.rows:
            return self._plot_row(y, cursor)
        if y == self.plot.rows:
            return [(" " * (self.gutter - 1) + self._axis(cursor), "axis")]
        return [(self._x_labels(), "muted")] if y == self.plot.rows + 1 else []

    def relabel(self, cursor_x: float | None) -> None:
        """Another place of the crosshair; nothing is drawn anew."""
        self.labels = replace(self.labels, cursor_x=cursor_x)

    # -- words --------------------------------------------------------------------------------------

    def _title(self) -> list[Span]:
        labels = self.labels
        spans: list[Span] = [(shorten(printable(labels.title), self.columns), "title")]
        if len(self.lines) == 1 and (value := self._value(self.lines[0].source)):
            spans += [("  ", ""), (value, _line_key(self.lines[0].series))]
            if smoothed := self._smoothed(self.lines[0]):
                spans += [("  ", ""), (smoothed, "muted")]
        used = sum(width(text) for text, _ in spans)
        notes = [f"at {short(labels.cursor_x, 4)} {labels.caption}"] if labels.cursor_x is not None else []
        right = " · ".join([*notes, labels.notes] if labels.notes else notes)
        if right and self.plot and used + 2 + width(right) <= self.columns:
            spans += [(" " * (self.columns - used - width(right)), ""), (right, "muted")]
        return spans

    def _value(self, line: ChartSeries) -> str:
        point = self.labels.read(line)
        return short(point.mean, 4) if point else ""

    def _smoothed(self, line: Layer) -> str:
        """ "~0.021", where the line is a smoothed one."""
        return "" if line.series is line.source else f"~{self._value(line.series)}"

    def _legend(self, room: int) -> list[Span]:
        """● name value  ▲ name value …; in a narrow chart only names, and what does not fit is counted."""
        names = [printable(line.source.name) for line in self.lines]
        values = [self._smoothed(line) or self._value(line.series) for line in self.lines]
        share = room // len(names)
        if share < 18:
            values = [""] * len(names)
        spans: list[Span] = []
        used = 0
        for number, line in enumerate(self.lines):
            value = values[number] + "  "
            name = shorten_name(names[number], max(share - width(value) - 3, 8))
            size = width(name) + width(value) + 3
            if used + size - 2 > room - (4 if number < len(names) - 1 else 0):
                return [*spans, (f"+{len(names) - number}", "muted")]
            spans += [(marker(number), _line_key(line.series)), (f" {name} ", "name"), (value, "muted")]
            used += size
        return spans

    def _empty(self, y: int) -> list[Span]:
        if y != self.rows // 2:
            return []
        text = shorten(self.labels.empty, self.columns)
        return [(" " * ((self.columns - width(text)) // 2), ""), (text, "muted")]

    # -- plot ---------------------------------------------------------------------------------------

    def _plot_row(self, y: int, cursor: int | None) -> list[Span]:
        assert self.plot is not None
        plot = self.plot
        label = plot.y_labels.get(y)
        spans: list[Span] = [
            ((label or "").rjust(self.gutter - 1), "muted"),
            ("┤" if label is not None else "│", "axis"),
        ]
        characters, layers = plot.canvas.row(y)
        text, key = "", ""
        for column in range(plot.columns):
            layer = layers[column]
            if layer != EMPTY:
                character, this = characters[column], _layer_key(plot.layers[layer])
            elif column == cursor:
                character, this = "│", "cursor"
            elif label is not None:
                character, this = "┈", "grid"
            else:
                character, this = " ", key  # a blank goes with whatever is before it
            if plot.ends and (end := plot.ends.get((column, y))):
                character, this = end[0], _layer_key(plot.layers[end[1]])
            if this != key and text:
                spans.append((text, key))
                text = ""
            text, key = text + character, this
        return [*spans, (text, key)]

    def _axis(self, cursor: int | None) -> str:
        assert self.plot is not None
        line = ["┬" if c in self.plot.x_ticks else "─" for c in range(self.plot.columns)]
        if cursor is not None:
            line[cursor] = "┴"
        return "└" + "".join(line)

    def _x_labels(self) -> str:
        """Tick labels centred under their ticks, and the caption at the right where it hides at most one."""
        assert self.plot is not None
        caption = self.labels.caption
        ends = self.columns
        if width(caption) + 2 <= self.columns // 3:
            ends -= width(caption) + 2
        else:
            caption = ""
        row = ""
        for column, label in sorted(self.plot.x_ticks.items()):
            at = max(self.gutter + column - len(label) // 2, 0)
            at = min(at, self.columns - len(label))
            if at + len(label) <= ends and (not row or at > len(row)):
                row = row.ljust(at) + label
        return row.ljust(self.columns - width(caption)) + caption


def make(
    columns: int,
    rows: int,
    layers: list[Layer],
    labels: Labels,
    *,
    log: bool,
    view: tuple[float, float] | None,
) -> Frame:
    """A frame of `columns` × `rows` cells; without data, or without room, it has no plot."""
    lines = [layer for layer in reversed(layers) if not layer.dim]
    legend = len(lines) > 1 and rows >= 7
    height = rows - 1 - legend - (2 if rows >= 5 else 0)
    span = span_of(layers, log, view)
    if span is None or height < 2 or columns < 12:
        return Frame(columns, rows, labels, lines, None, legend, 0)
    gutter = 1 + max(map(len, y_labels(span, height, log).values()), default=0)
    plot = draw(layers, span, columns - gutter, height, log=log)
    return Frame(columns, rows, labels, lines, plot, legend, gutter)


def _line_key(line: ChartSeries) -> str:
    return f"line:{line.colour}"


def _layer_key(layer: Layer) -> str:
    return f"{'dim' if layer.dim else 'line'}:{layer.series.colour}"
