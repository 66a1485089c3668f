"""What a verb writes: JSON or tables on standard output, words for the person on standard error.

Tables are plain text made here and not by rich, which costs more to import than a list of runs to read.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TextIO

from runs.text import printable, shorten, shorten_name, width

GAP = "  "
_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "magenta": "35", "cyan": "36"}

#: How a status looks; the mark and the word tell it without the colour.
STATUS = {
    "running": ("●", "cyan"),
    "finished": ("✓", "green"),
    "stopped": ("■", "yellow"),
    "failed": ("✗", "red"),
    "lost": ("?", "magenta"),
    "queued": ("…", "dim"),
}


def print_json(value: Any) -> None:
    """`value` as JSON on standard output; numbers that JSON cannot hold (NaN, infinity) are null."""
    print(json.dumps(plain(value), indent=2))


def plain(value: Any) -> Any:
    """`value` in what JSON knows: dataclasses as objects, tuples as lists, non-finite numbers as None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def say(text: str) -> None:
    """A line for the person, on standard error."""
    sys.stdout.flush()
    sys.stderr.write(printable(text) + "\n")
    sys.stderr.flush()


def warn(text: str) -> None:
    """A warning, on standard error."""
    say(f"warning: {text}")


def coloured(stream: TextIO) -> bool:
    """Whether colours may be written to `stream` (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str | None, on: bool) -> str:
    """`text` in a colour (or bold, dim), if `on`."""
    return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if on and colour else text


def status_text(status: str) -> tuple[str, str | None]:
    """(mark and word, colour) of a status."""
    mark, colour = STATUS.get(status, ("·", None))
    return f"{mark} {status}", colour


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    title: str
    right: bool = False
    least: int | None = None  #: may be shortened to this many cells when the terminal is narrow
    drop: int = 0  #: left out when the terminal is narrow, the highest first; 0: never
    names: bool = False  #: shortened in the middle


Cell = str | tuple[str, str | None]  #: text, or (text, colour)


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
    """A table on standard output; cut to the terminal's width if that is one. Text is shown literally."""
    for line in table(columns, rows, limit=terminal_width(), colours=coloured(sys.stdout)):
        print(line)


def terminal_width() -> int | None:
    """Columns of the terminal on standard output, None if it goes elsewhere."""
    return shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else None


def table(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], limit: int | None = None, colours: bool = False
) -> list[str]:
    """The lines of a table, headings first, at most `limit` cells wide."""
    columns = [replace(column, title=printable(column.title)) for column in columns]
    cells = [[_split(cell) for cell in row] for row in rows]
    shown = list(range(len(columns)))
    while True:
        widths = [_column_width(columns[i], [row[i][0] for row in cells]) for i in shown]
        excess = sum(widths) + len(GAP) * (len(shown) - 1) - limit if limit else 0
        excess = _narrow(widths, [columns[i] for i in shown], excess)
        last = max(shown, key=lambda i: columns[i].drop)
        if excess <= 0 or not columns[last].drop:
            break
        shown.remove(last)
    heading: list[tuple[str, str | None]] = [(column.title, "bold") for column in columns]
    lines = []
    for row in [heading, *cells]:
        parts = [_padded(*row[i], size, columns[i], colours) for i, size in zip(shown, widths, strict=True)]
        lines.append(GAP.join(parts).rstrip())
    return lines


def _split(cell: Cell) -> tuple[str, str | None]:
    text, colour = (cell, None) if isinstance(cell, str) else cell
    return printable(text), colour


def _column_width(column: Column, texts: list[str]) -> int:
    return max([width(column.title), *map(width, texts)])


def _narrow(widths: list[int], columns: Sequence[Column], excess: int) -> int:
    """Take `excess` cells from the columns that may be shortened; what could not be taken."""
    for i, column in enumerate(columns):
        if excess > 0 and column.least is not None:
            taken = min(excess, max(0, widths[i] - column.least))
            widths[i] -= taken
            excess -= taken
    return excess


def _padded(text: str, colour: str | None, size: int, column: Column, colours: bool) -> str:
    text = (shorten_name if column.names else shorten)(text, size)
    space = " " * (size - width(text))
    painted = paint(text, colour, colours)
    return space + painted if column.right else painted + space
