"""How large a grid is drawn."""

from __future__ import annotations

import pytest
from textual.geometry import Size

from tui.legible import across, fit, zoom
from tui.widgets.picture import Picture


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


@pytest.mark.parametrize(
    ("columns", "rows", "size", "count", "classes", "wanted"),
    [
        (120, 34, 32, 16, 0, 6),  # 6, 6 and 4: larger than in squares of 4
        (120, 34, 32, 16, 10, 6),  # ten rows of two would be a third as large
        (78, 20, 8, 16, 0, 6),
        (78, 20, 32, 16, 10, 4),  # too small to see them all: four fill the width
        (40, 60, 32, 20, 10, None),  # tall enough for a row of each class
        (120, 60, 8, 20, 10, 4),  # rows of two would be half as large
        (10, 2, 32, 4, 0, 1),  # there is always one
        (0, 0, 32, 4, 10, None),
    ],
)
def test_images_lie_so_that_they_are_largest(columns, rows, size, count, classes, wanted) -> None:
    assert across(columns, rows, size, count, classes) == wanted


def test_a_grid_is_enlarged_by_the_shape_it_has() -> None:
    assert zoom(78, 20, 32, 24, 8) == pytest.approx(
        0.5 / (78 / 265)
    )  # as squares it would be 0.5 / (40 / 166)
    assert zoom(82, 39, 32, 60, 6) == pytest.approx(0.5 / (78 / 331))  # ten rows of classes


@pytest.mark.parametrize(("labels", "across"), [((), None), (tuple("abcdefghij"), 6)])
def test_rows_of_classes_are_told_from_squares(labels, across) -> None:
    picture = Picture()
    picture.set_reactive(Picture.row_labels, labels)
    picture._size = Size(90, 40)
    fit(picture, 32, 60)
    assert picture.zoom == pytest.approx(zoom(*picture.room, 32, 60, across))
