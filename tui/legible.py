"""How large a grid of samples is drawn, so that its images can be recognised."""

from __future__ import annotations

import math

from runs.rows import RunDetail
from tui.widgets.picture import Picture

#: Pixels across which an image of any kind can be recognised; smaller ones need all of theirs.
_ENOUGH = 16
#: Share of the largest scale that rows of classes, which have names, may cost.
_NEARLY = 0.7


def image_size(detail: RunDetail) -> int | None:
    """Pixels across one image of a run; None where its configuration does not say. Imports the models."""
    from ddpm.config import NATIVE_SHAPES

    data = detail.config.get("data", {})
    size = data.get("image_size") or NATIVE_SHAPES.get(data.get("dataset", ""), (None,))[0]
    return size if isinstance(size, int) and size > 0 else None


def zoom(columns: int, rows: int, size: int | None, count: int | None, across: int | None = None) -> float:
    """How many times as large as it fits into `columns` x `rows` cells a grid of `count` images is drawn.

    1 where the images are large enough as they are; else such that an image has all of its pixels or enough,
    whichever is less, and only the first images are seen. across: images in a row; None: as square as can be.
    """
    if not size or not count or columns < 1 or rows < 1:
        return 1.0
    across = across or math.ceil(math.sqrt(count))
    scale = min(_scale(columns, rows, size, across, math.ceil(count / across)), 1.0)
    return max(1.0, _enough(size) / scale)


def across(columns: int, rows: int, size: int, count: int, classes: int = 0) -> int | None:
    """How many in a row of `count` images make them largest in `columns` x `rows` cells.

    None where a row for each of `classes` is nearly as good. As many as the width has room for where they
    are too small to be recognised all at once.
    """
    if columns < 1 or rows < 1:
        return None

    def scale(across: int, down: int) -> float:
        return _scale(columns, rows, size, across, down)

    best = max(range(1, count + 1), key=lambda n: scale(n, math.ceil(count / n)))
    largest = scale(best, math.ceil(count / best))
    own = min(classes, count)
    if own and scale(math.ceil(count / own), own) >= _NEARLY * largest:
        return None
    if largest < _enough(size):
        return max(1, min(count, int(columns / (_enough(size) * (size + 1)))))
    return best


def _scale(columns: int, rows: int, size: int, across: int, down: int) -> float:
    """Cells (half ones, downwards) for each pixel of a grid of `across` x `down` images."""
    return min(columns / (across * (size + 1) + 1), 2 * rows / (down * (size + 1) + 1))


def _enough(size: int) -> float:
    return min(1.0, _ENOUGH / size)


def fit(picture: Picture, size: int | None, count: int | None) -> None:
    """Sets a picture's zoom for a grid, whose rows are classes where those are named."""
    rows = len(picture.row_labels)
    picture.zoom = zoom(*picture.room, size, count, math.ceil(count / rows) if count and rows else None)
