"""The dots of the canvas are where Unicode has them, and lines are connected."""

from __future__ import annotations

import itertools

import pytest

from tui.widgets.braille import EMPTY, BrailleCanvas, trace


def dots(canvas: BrailleCanvas) -> set[tuple[int, int]]:
    """All dots drawn, as (x, y), read back from the characters."""
    order = {0x01: (0, 0), 0x02: (0, 1), 0x04: (0, 2), 0x40: (0, 3)}
    order |= {0x08: (1, 0), 0x10: (1, 1), 0x20: (1, 2), 0x80: (1, 3)}
    found = set()
    for row in range(canvas.rows):
        for column in range(canvas.columns):
            character, layer = canvas.cell(column, row)
            if layer != EMPTY:
                bits = ord(character) - 0x2800
                found |= {(column * 2 + x, row * 4 + y) for bit, (x, y) in order.items() if bits & bit}
    return found


@pytest.mark.parametrize(
    ("x", "y", "character"),
    [(0, 0, "⠁"), (0, 1, "⠂"), (0, 2, "⠄"), (0, 3, "⡀"), (1, 0, "⠈"), (1, 1, "⠐"), (1, 2, "⠠"), (1, 3, "⢀")],
)
def test_each_dot_is_the_one_unicode_names(x: int, y: int, character: str) -> None:
    canvas = BrailleCanvas(1, 1)
    canvas.vertical(x, y, y, 0)
    assert canvas.cell(0, 0) == (character, 0)


def test_a_stroke_covers_exactly_its_rows_in_either_order() -> None:
    for ends in ((2, 13), (13, 2)):
        canvas = BrailleCanvas(2, 4)
        canvas.vertical(3, *ends, 0)
        assert dots(canvas) == {(3, y) for y in range(2, 14)}


def test_what_lies_outside_is_clipped() -> None:
    canvas = BrailleCanvas(2, 2)
    canvas.vertical(-1, 0, 5, 0)
    canvas.vertical(4, 0, 5, 0)
    canvas.vertical(0, -9, -1, 0)
    canvas.vertical(0, 8, 90, 0)
    assert dots(canvas) == set()
    canvas.vertical(1, -5, 100, 0)
    assert dots(canvas) == {(1, y) for y in range(8)}


def test_lines_hide_what_is_behind_but_keep_each_other() -> None:
    canvas = BrailleCanvas(1, 1, front=1)
    canvas.vertical(0, 0, 3, 0)  # background
    canvas.vertical(1, 0, 0, 1)
    assert canvas.cell(0, 0) == ("⠈", 1)
    canvas.vertical(1, 3, 3, 2)
    assert canvas.cell(0, 0) == ("⢈", 2)


@pytest.mark.parametrize(
    "points",
    [
        [(0.0, 0.0), (19.0, 39.0)],
        [(0.0, 39.0), (3.0, 0.0), (4.0, 38.0), (19.0, 20.0)],
        [(0.0, 5.0), (0.2, 30.0), (1.0, 2.0)],
        [(-7.0, 10.0), (30.0, 12.0)],
    ],
)
def test_a_line_is_connected(points: list[tuple[float, float]]) -> None:
    lows, highs = [40] * 20, [-1] * 20
    trace(points, 20, lows, highs)
    drawn = [(low, high) for low, high in zip(lows, highs, strict=True) if low <= high]
    assert len(drawn) >= 2
    for (low, high), (next_low, next_high) in itertools.pairwise(drawn):
        assert low <= next_high + 1
        assert next_low <= high + 1


def test_a_flat_line_is_one_dot_high() -> None:
    lows, highs = [40] * 20, [-1] * 20
    trace([(0.0, 7.0), (19.0, 7.0)], 20, lows, highs)
    assert lows == highs == [7] * 20


def test_a_single_point_is_one_dot() -> None:
    lows, highs = [8] * 4, [-1] * 4
    trace([(2.0, 3.0)], 4, lows, highs)
    assert (lows[2], highs[2]) == (3, 3)
    assert highs[0] == highs[1] == highs[3] == -1
