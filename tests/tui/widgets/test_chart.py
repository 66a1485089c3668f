"""The line chart: what it draws, and what its keys do."""

from __future__ import annotations

import math
import time

import pytest

from runs.rows import Bucket
from tests.tui.widgets.hosts import Host, lines
from tui.widgets.chart import ChartSeries, LineChart
from tui.widgets.chart_plot import draw, layers_of, span_of


def falling(count: int = 100, start: float = 1.0, top: float = 1e6) -> list[Bucket]:
    """A loss: from `start` down, over x up to `top`."""
    values = [start * math.exp(-i / count * 4) for i in range(count)]
    return [Bucket(top * (i + 1) / count, v * 0.9, v * 1.1, v) for i, v in enumerate(values)]


def one(points: list[Bucket], name: str = "a") -> list[ChartSeries]:
    return [ChartSeries(name, 0, points)]


def plotted(points: list[Bucket], columns: int = 40, rows: int = 10, *, log: bool = False) -> list[str]:
    layers = layers_of(one(points), 0)
    span = span_of(layers, log, None)
    assert span is not None
    canvas = draw(layers, span, columns, rows, log=log).canvas
    return ["".join(canvas.row(row)[0]) for row in range(rows)]


def test_a_falling_line_goes_from_upper_left_to_lower_right() -> None:
    rows = plotted(falling())
    assert rows[0][:3].strip()
    assert not rows[0][20:].strip()
    assert rows[-1][-3:].strip()
    assert not rows[-1][:15].strip()


def test_a_leap_in_x_and_a_nan_leave_a_gap() -> None:
    flat = [Bucket(float(i), 1.0, 1.0, 1.0) for i in range(100)]
    rows = plotted([p for p in flat if not 40 < p.x < 60])
    assert "⠀" not in "".join(rows)
    line = max(rows, key=lambda row: len(row.strip()))
    assert not line[17:23].strip()
    assert line[5:15].strip()
    broken = [Bucket(p.x, p.low, p.high, math.nan) if 40 < p.x < 60 else p for p in flat]
    line = max(plotted(broken), key=lambda row: len(row.strip()))
    assert not line[17:23].strip()


def test_log_leaves_out_what_has_no_logarithm() -> None:
    points = [Bucket(0.0, -1.0, 2.0, 0.0), Bucket(1.0, 1.0, 1.0, 1.0), Bucket(2.0, 10.0, 10.0, 10.0)]
    span = span_of(layers_of(one(points), 0), True, None)
    assert span is not None
    assert span.y == (1.0, 10.0)
    assert span_of(layers_of(one(points[:1]), 0), True, None) is None


def test_lines_are_in_front_of_dim_ones_and_the_first_is_on_top() -> None:
    series = [ChartSeries("a"), ChartSeries("b"), ChartSeries("c", dim=True)]
    order = [(layer.series.name, layer.dim) for layer in layers_of(series, 0.5)]
    assert order[-1] == ("a", False)
    assert order[-2] == ("b", False)
    assert all(dim for _, dim in order[:-2])


def test_a_hundred_columns_are_drawn_in_little_time() -> None:
    layers = layers_of(one(falling(200)), 0.6)
    best = math.inf
    for _ in range(10):
        start = time.perf_counter()
        span = span_of(layers, False, None)
        assert span is not None
        draw(layers, span, 100, 25)
        best = min(best, time.perf_counter() - start)
    assert best < 0.04  # 2 ms on an idle machine; the bound leaves room for busy ones


async def test_title_value_axes_and_caption() -> None:
    chart = LineChart("loss")
    async with Host(chart).run_test(size=(60, 15)):
        chart.set_series(one(falling()))
        rows = lines(chart)
        assert rows[0].startswith("loss  0.0190")
        assert rows[-1].endswith("images seen")
        assert rows[-2].lstrip().startswith("└")
        assert rows[-1].split()[:3] == ["0", "0.2M", "0.4M"]
        assert any("┤" in row for row in rows)


async def test_without_data_it_says_so() -> None:
    chart = LineChart("loss")
    async with Host(chart).run_test(size=(40, 9)):
        assert lines(chart)[4].strip() == "no metrics yet"
        chart.set_series([ChartSeries("a", 0, [Bucket(1, math.nan, math.nan, math.nan)])])
        assert lines(chart)[4].strip() == "no metrics yet"


async def test_several_lines_have_a_legend_and_a_marker_at_their_end() -> None:
    chart = LineChart("loss", y_log=True)
    async with Host(chart).run_test(size=(80, 20)):
        names = ["mnist", "a[red]b\x1b[31m", "third"]
        chart.set_series([ChartSeries(n, i, falling(start=i + 1.0)) for i, n in enumerate(names)])
        rows = lines(chart)
        assert "● mnist" in rows[1]
        assert "▲ a[red]b␛[31m" in rows[1]
        assert "■ third" in rows[1]
        plot = "\n".join(rows[2:])
        assert all(marker in plot for marker in "●▲■")


async def test_a_narrow_chart_counts_what_its_legend_leaves_out() -> None:
    chart = LineChart("loss")
    async with Host(chart).run_test(size=(30, 12)):
        chart.set_series([ChartSeries(f"a-long-name-{i}", i, falling()) for i in range(9)])
        legend = lines(chart)[1]
        assert "+" in legend
        assert len(legend) <= 30


@pytest.mark.parametrize("size", [(80, 24), (20, 5), (10, 3), (3, 2), (1, 1)])
async def test_every_size_is_filled_and_no_more(size: tuple[int, int]) -> None:
    chart = LineChart("a title that is longer than the chart", smoothing=0.5)
    async with Host(chart, css="LineChart { min-height: 1; }").run_test(size=size):
        chart.set_series(one(falling()))
        strips = chart.render_lines(chart.size.region)
        assert len(strips) == size[1]
        assert {strip.cell_length for strip in strips} == {size[0]}


async def test_the_crosshair_walks_along_the_first_line() -> None:
    chart = LineChart("loss")
    app = Host(chart, kinds=(LineChart.CursorMoved,))
    async with app.run_test(size=(60, 15)) as pilot:
        points = falling()
        chart.set_series(one(points))
        chart.focus()
        await pilot.press("right")
        assert chart.cursor_x == points[-1].x
        await pilot.press("left")
        before = chart.cursor_x
        assert before is not None
        assert before < points[-1].x
        assert "│" in lines(chart)[4][20:]
        await pilot.press("home")
        assert chart.cursor_x == points[0].x
        assert lines(chart)[0].startswith("loss  1 ")
        assert "at 10k images seen" in lines(chart)[0]
        await pilot.press("left")
        assert chart.cursor_x == points[0].x
        await pilot.press("escape")
        assert chart.cursor_x is None
        assert app.seen
        assert app.escapes == 0
        await pilot.press("escape")
        assert app.escapes == 1


async def test_data_may_come_before_the_chart_is_on_screen() -> None:
    chart = LineChart("loss")
    chart.set_series(one(falling()))
    chart.smoothing = 0.5
    async with Host(chart).run_test(size=(60, 15)):
        assert lines(chart)[0].startswith("loss  0.0")


async def test_the_mouse_moves_the_crosshair() -> None:
    chart = LineChart("loss")
    async with Host(chart).run_test(size=(60, 15)) as pilot:
        chart.set_series(one(falling()))
        await pilot.hover(chart, offset=(59, 5))
        assert chart.cursor_x == pytest.approx(1e6)
        await pilot.hover(chart, offset=(30, 5))
        assert chart.cursor_x is not None
        assert 3e5 < chart.cursor_x < 7e5


async def test_zoom_tells_the_range_and_keeps_it_through_new_data() -> None:
    chart = LineChart("loss")
    app = Host(chart, kinds=(LineChart.RangeChanged,))
    async with app.run_test(size=(60, 15)) as pilot:
        chart.set_series(one(falling()))
        chart.focus()
        await pilot.press("plus")
        await pilot.pause()
        message = app.seen[-1]
        assert isinstance(message, LineChart.RangeChanged)
        assert (message.first, message.last) == pytest.approx((505_000, 1e6))
        assert "zoomed" in lines(chart)[0]
        chart.set_series(one([p for p in falling(400) if p.x > 5e5]))
        assert chart.range == (message.first, message.last)
        await pilot.press("minus")
        await pilot.pause()
        assert chart.range is None
        last = app.seen[-1]
        assert isinstance(last, LineChart.RangeChanged)
        assert (last.first, last.last) == (None, None)
        await pilot.press("plus", "plus", "0")
        assert chart.range is None


async def test_log_and_smoothing_are_named_and_change_the_line() -> None:
    chart = LineChart("loss")
    async with Host(chart).run_test(size=(60, 15)):
        noisy = [Bucket(float(i), 1 + i % 2, 1 + i % 2, 1.0 + i % 2) for i in range(100)]
        chart.set_series(one(noisy))
        chart.smoothing = 0.95
        chart.y_log = True
        assert "log · smooth 0.95" in lines(chart)[0]
        assert lines(chart)[0].startswith("loss  2  ~1.5")
        (_, point), *_ = chart.values_at_cursor()
        assert point is not None
        assert point.mean == pytest.approx(1.5, abs=0.05)
        chart.smoothing = 7
        assert chart.smoothing < 1


async def test_names_are_readable_in_a_light_theme() -> None:
    chart = LineChart("loss")
    app = Host(chart)
    async with app.run_test(size=(60, 15)) as pilot:
        app.theme = "textual-light"
        chart.set_series([ChartSeries(n, 0, falling()) for n in "ab"])
        await pilot.pause()
        (name,) = [s for s in chart.render_line(1) if s.text == " a "]
        assert name.style is not None
        assert name.style.color is not None
        assert max(name.style.color.get_truecolor()) < 80


async def test_colours_come_from_the_theme_and_may_be_given() -> None:
    chart = LineChart("loss")
    async with Host(chart).run_test(size=(60, 15)):
        chart.set_series([ChartSeries("a", 0, falling()), ChartSeries("b", "#00af5f", falling(start=2.0))])
        strips = chart.render_lines(chart.size.region)
        used = {str(s.style.color.name) for strip in strips for s in strip if s.style and s.style.color}
        assert "#00af5f" in used
        assert chart.app.theme_variables["primary"].lower() in used


def drawn(*series: ChartSeries, columns: int = 40, rows: int = 10):
    layers = layers_of(series, 0)
    span = span_of(layers, False, None)
    assert span is not None
    return draw(layers, span, columns, rows)


def test_every_point_of_a_marked_line_has_its_marker_even_alone() -> None:
    points = [Bucket(float(x), y, y, y) for x, y in ((0, 9.0), (1, 4.0), (40, 1.0))]
    assert len(drawn(ChartSeries("a", 0, points, marked=True)).ends) == 3
    assert not drawn(ChartSeries("a", 0, points)).ends
    assert len(drawn(ChartSeries("a", 0, points[:1], marked=True)).ends) == 1


def test_a_marked_line_goes_on_over_a_gap() -> None:
    points = [Bucket(float(x), 1.0, 1.0, 1.0) for x in (*range(20), *range(80, 100))]
    (whole,) = span_of(layers_of([ChartSeries("a", 0, points, marked=True)], 0)[:1], False, None).parts
    assert len(whole) == 1
    (apart,) = span_of(layers_of([ChartSeries("a", 0, points)], 0)[:1], False, None).parts
    assert len(apart) == 2


def test_a_dashed_line_is_told_from_another_without_colour() -> None:
    def level(y: float, dashed: bool) -> ChartSeries:
        return ChartSeries("a", 0, [Bucket(0.0, y, y, y), Bucket(99.0, y, y, y)], dashed=dashed)

    canvas = drawn(level(1.0, False), level(9.0, True), columns=40).canvas
    whole, dashes = "".join(canvas.row(9)[0]), "".join(canvas.row(0)[0])
    assert " " not in whole
    assert dashes.count(" ") == 20
    assert set(dashes[1::2]) == {" "}
