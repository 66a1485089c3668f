"""Images as rows of segments, two pixels to a cell. Reads files: not for the UI thread."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from rich.color import Color, ColorType
from rich.color_triplet import ColorTriplet
from rich.segment import Segment
from rich.style import Style

from runs.preview import UPPER_HALF, pixels

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class Drawn:
    """An image as rows of segments, or why there is none."""

    columns: int
    rows: tuple[tuple[Segment, ...], ...]
    problem: str | None = None
    share: float = 1.0  #: of the image's height that is seen


def draw(source: Path | Image, columns: int, rows: int, zoom: float = 1) -> Drawn:
    """`source` in at most `columns` × `rows` cells; with `zoom` its upper left part, so many times larger."""
    share = 1.0
    try:
        if zoom != 1:
            source, share = _part(source, columns, rows, zoom)
        image = pixels(source, columns, rows)
    except FileNotFoundError:
        return Drawn(0, (), f"{_name(source)}: not there (any more)")
    except (OSError, ValueError, SyntaxError) as error:  # what PIL raises for files that are no images
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a whole image"
        return Drawn(0, (), f"{_name(source)}: {reason}")
    data, step = image.tobytes(), image.width * 3
    lines = [data[i : i + step] for i in range(0, len(data), step)]
    drawn = tuple(_segments(*pair) for pair in zip_longest(*[iter(lines)] * 2, fillvalue=b""))
    return Drawn(image.width, drawn, share=share)


def _part(source: Path | Image, columns: int, rows: int, zoom: float) -> tuple[Image, float]:
    """As much of the image as the cells hold when it is drawn `zoom` times as large as the whole would be,
    and what share of its height that is."""
    from PIL import Image as images

    if isinstance(source, Path):
        with images.open(source) as opened:
            opened.load()
            source = opened
    scale = min(columns / source.width, rows * 2 / source.height) * zoom
    width, height = round(columns / scale), round(rows * 2 / scale)
    width, height = max(1, min(width, source.width)), max(1, min(height, source.height))
    return source.crop((0, 0, width, height)), height / source.height


def identity(source: Path) -> object:
    """What changes when a file does: path, modification time and size."""
    try:
        status = source.stat()
    except OSError:
        return (source, None, None)
    return (source, status.st_mtime_ns, status.st_size)


def _segments(upper: bytes, lower: bytes) -> tuple[Segment, ...]:
    """One row of cells; neighbours of the same colours share a segment, to send fewer bytes."""
    tops = [upper[i : i + 3] for i in range(0, len(upper), 3)]
    bottoms = [lower[i : i + 3] for i in range(0, len(lower), 3)]
    segments: list[Segment] = []
    start = 0
    cells = list(zip_longest(tops, bottoms))
    for end in range(1, len(cells) + 1):
        if end == len(cells) or cells[end] != cells[start]:
            segments.append(Segment(UPPER_HALF * (end - start), _style(*cells[start])))
            start = end
    return tuple(segments)


def _style(top: bytes, bottom: bytes | None) -> Style:
    return Style(color=_colour(top), bgcolor=_colour(bottom) if bottom else None)


def _colour(rgb: bytes) -> Color:
    return Color(f"#{rgb.hex()}", ColorType.TRUECOLOR, triplet=ColorTriplet(*rgb))


def _name(source: Path | Image) -> str:
    return source.name if isinstance(source, Path) else "image"
