"""Images as text: each cell shows two pixels, the upper as the colour of "▀", the lower behind it.

Works wherever colours do (also in tmux, and after a reattach). PIL and rich are imported when first needed.
"""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image
    from rich.text import Text

UPPER_HALF = "▀"


def pixels(image: Image | Path, columns: int, rows: int) -> Image:
    """`image` as RGB at the size it is drawn: at most `columns` wide and 2 * `rows` high, aspect kept.

    Grows by whole factors only, each pixel a square block; shrinks by area averages.
    OSError when a path cannot be read as an image.
    """
    from PIL import Image as images

    if isinstance(image, Path):
        with images.open(image) as opened:
            image = opened.convert("RGB")
    elif image.mode != "RGB":
        image = image.convert("RGB")
    size = fitted(image.width, image.height, columns, rows)
    if size == image.size:
        return image
    grows = size[0] > image.width
    return image.resize(size, images.Resampling.NEAREST if grows else images.Resampling.BOX)


def fitted(width: int, height: int, columns: int, rows: int) -> tuple[int, int]:
    """(width, height) in pixels at which an image is drawn in `columns` x `rows` cells of 1 x 2 pixels."""
    columns, lines = max(1, columns), max(1, rows) * 2
    factor = min(columns // width, lines // height)
    if factor >= 1:
        return width * factor, height * factor
    scale = min(columns / width, lines / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def halfcells(image: Image | Path, columns: int, rows: int) -> Text:
    """`image` drawn in at most `columns` x `rows` cells; lines are joined by "\\n".

    OSError when a path cannot be read as an image.
    """
    from rich.text import Text

    drawn = pixels(image, columns, rows)
    width, height = drawn.size
    data = drawn.tobytes()
    colours = [data[i : i + 3] for i in range(0, len(data), 3)]
    text = Text(no_wrap=True, end="")
    for top in range(0, height, 2):
        if top:
            text.append("\n")
        upper = colours[top * width : (top + 1) * width]
        lower = colours[(top + 1) * width : (top + 2) * width]
        _append_line(text, list(zip_longest(upper, lower)))
    return text


def _append_line(text: Text, cells: list[tuple[bytes, bytes | None]]) -> None:
    """Neighbouring cells of the same colours share one span: what is sent over the wire stays small."""
    start = 0
    for end in range(1, len(cells) + 1):
        if end == len(cells) or cells[end] != cells[start]:
            text.append(UPPER_HALF * (end - start), style=_style(*cells[start]))
            start = end


def _style(upper: bytes, lower: bytes | None) -> str:
    return f"#{upper.hex()}" + (f" on #{lower.hex()}" if lower is not None else "")
