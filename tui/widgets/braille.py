"""A canvas of braille dots, two across and four down in each cell, in layers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

#: _DOTS[x % 2][y % 4]: the bit of a dot in its character (Unicode 2800 + bits).
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))

#: _SPANS[x % 2][first][last]: the bits of the dots first … last of one column of a cell.
_SPANS = tuple(
    tuple(
        tuple(sum(column[first : last + 1]) if first <= last else 0 for last in range(4))
        for first in range(4)
    )
    for column in _DOTS
)

#: Layer of a cell that nothing was drawn in.
EMPTY = -1


class BrailleCanvas:
    """`columns` × `rows` cells; dots are addressed by (x, y) from the top left, y downwards.

    Every cell belongs to the layer last drawn in it. It hides the dots of layers below `front`, so that a
    line stays clean before its background; among layers from `front` on the dots of all stay, so that no
    line is lost. What lies outside is clipped.
    """

    def __init__(self, columns: int, rows: int, front: int = 0) -> None:
        self._front = front
        self.columns, self.rows = max(columns, 0), max(rows, 0)
        self.width, self.height = self.columns * 2, self.rows * 4
        self._bits = [bytearray(self.columns) for _ in range(self.rows)]
        self._layers = [[EMPTY] * self.columns for _ in range(self.rows)]

    def vertical(self, x: int, y0: int, y1: int, layer: int) -> None:
        """The dots of column `x` from `y0` to `y1`, both included, in either order."""
        if y0 > y1:
            y0, y1 = y1, y0
        if not 0 <= x < self.width or y1 < 0 or y0 >= self.height:
            return
        y0, y1 = max(y0, 0), min(y1, self.height - 1)
        column, spans = x >> 1, _SPANS[x & 1]
        first, last = y0 >> 2, y1 >> 2
        if first == last:
            self._paint(column, first, spans[y0 & 3][y1 & 3], layer)
            return
        self._paint(column, first, spans[y0 & 3][3], layer)
        for row in range(first + 1, last):
            self._paint(column, row, spans[0][3], layer)
        self._paint(column, last, spans[0][y1 & 3], layer)

    def strokes(self, lows: Sequence[int], highs: Sequence[int], layer: int) -> None:
        """One vertical stroke per column, from `lows[x]` to `highs[x]`; none where low is above high."""
        for x in range(min(len(lows), self.width)):
            if lows[x] <= highs[x]:
                self.vertical(x, lows[x], highs[x], layer)

    def cell(self, column: int, row: int) -> tuple[str, int]:
        """(character, layer) of a cell; (" ", EMPTY) where nothing was drawn."""
        bits = self._bits[row][column]
        return (chr(0x2800 + bits), self._layers[row][column]) if bits else (" ", EMPTY)

    def row(self, row: int) -> tuple[list[str], list[int]]:
        """Characters and layers of a row of cells."""
        return [chr(0x2800 + bits) if bits else " " for bits in self._bits[row]], self._layers[row]

    def _paint(self, column: int, row: int, bits: int, layer: int) -> None:
        layers = self._layers[row]
        if layers[column] == layer:
            self._bits[row][column] |= bits
        else:
            kept = self._bits[row][column] if layers[column] >= self._front else 0
            layers[column] = layer
            self._bits[row][column] = kept | bits


def trace(points: Sequence[tuple[float, float]], width: int, lows: list[int], highs: list[int]) -> None:
    """Widen the strokes `lows`, `highs` of `width` columns by the line through `points` (x ascending).

    Each column takes the part of the line within half a dot of it, so neighbours always touch.
    """
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        first, last = round(x0), round(x1)
        if last < 0 or first >= width:
            continue
        slope = (y1 - y0) / (x1 - x0) if first != last else 0.0
        if abs(slope) < 1 and last - first <= 1:  # near neighbours: their own dots already touch
            _widen(first, round(y0), round(y0), lows, highs)
            _widen(last, round(y1), round(y1), lows, highs)
            if first == last:
                _widen(last, round(y0), round(y1), lows, highs)
            continue
        bottom, top = (y0, y1) if y0 < y1 else (y1, y0)
        for x in range(max(first, 0), min(last, width - 1) + 1):
            a = min(max(y0 + (x - 0.5 - x0) * slope, bottom), top)
            b = min(max(y0 + (x + 0.5 - x0) * slope, bottom), top)
            start, end = round(a), round(b)
            if abs(end - start) > 1 and x < last:  # a steep line needs no dot twice at one height
                end += -1 if end > start else 1
            _widen(x, start, end, lows, highs)
    if points:
        x, y = round(points[-1][0]), round(points[-1][1])
        _widen(x, y, y, lows, highs)


def _widen(x: int, a: int, b: int, lows: list[int], highs: list[int]) -> None:
    if a > b:
        a, b = b, a
    if 0 <= x < len(lows):
        if a < lows[x]:
            lows[x] = a
        if b > highs[x]:
            highs[x] = b
