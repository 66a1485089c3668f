"""How large a grid of samples is drawn, so that its images can be recognised."""

from __future__ import annotations

import math

from runs.rows import RunDetail
from tui.widgets.picture import Picture

#: Pixels across which an image of any kind can be recognised; smaller ones need all of theirs.
_ENOUGH = 16


def image_size(detail: RunDetail) -> int | None:
    """Pixels across one image of a run; None where its configuration does not say. Imports the models."""
    from ddpm.config import NATIVE_SHAPES

    data = detail.config.get("data", {})
    size = data.get("image_size") or NATIVE_SHAPES.get(data.get("dataset", ""), (None,))[0]
    return size if isinstance(size, int) and size > 0 else None


def zoom(columns: int, rows: int, size: int | None, count: int | None) -> float:
    """How many times as large as it fits into `columns` x `rows` cells a grid of `count` images is drawn.

    1 where the images are large enough as they are; else such that an image has all of its pixels or enough,
    whichever is less, and only the first images are seen.
    """
    if not size or not count or columns < 1 or rows < 1:
        return 1.0
    across = math.ceil(math.sqrt(count)) * (size + 1) + 1
    down = math.ceil(count / math.ceil(math.sqrt(count))) * (size + 1) + 1
    scale = min(columns / across, 2 * rows / down, 1.0)
    return max(1.0, min(1.0, _ENOUGH / size) / scale)


def fit(picture: Picture, size: int | None, count: int | None) -> None:
    """Sets a picture's zoom for a grid."""
    picture.zoom = zoom(*picture.room, size, count)
