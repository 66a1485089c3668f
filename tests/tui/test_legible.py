"""How large a grid is drawn."""

from __future__ import annotations

import pytest

from tui.legible import zoom


@pytest.mark.parametrize(
    ("columns", "rows", "size", "count", "wanted"),
    [
        (40, 20, 8, 4, 1.0),  # larger than it is: all of it
        (73, 37, 8, 64, 1.0),  # as large as it is
        (200, 10, 8, 64, 73 / 20),  # every pixel of the first rows
        (40, 20, 28, 64, (16 / 28) / (40 / 233)),  # enough of larger images
        (40, 20, None, 64, 1.0),
        (40, 20, 8, None, 1.0),
        (0, 0, 8, 64, 1.0),
    ],
)
def test_images_have_their_pixels_or_enough(columns, rows, size, count, wanted) -> None:
    assert zoom(columns, rows, size, count) == pytest.approx(wanted)
