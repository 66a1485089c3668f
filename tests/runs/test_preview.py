from pathlib import Path

import pytest
from PIL import Image

from runs.preview import fitted, halfcells, pixels


def corners() -> Image.Image:
    """2 x 2: red green / blue white."""
    image = Image.new("RGB", (2, 2))
    image.putdata([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)])
    return image


@pytest.mark.parametrize(
    ("size", "cells", "drawn"),
    [
        ((8, 8), (40, 20), (40, 40)),  # five times
        ((8, 8), (39, 20), (32, 32)),  # whole factors only
        ((8, 8), (8, 4), (8, 8)),
        ((100, 50), (50, 50), (50, 25)),  # the narrower side decides
        ((50, 100), (50, 10), (10, 20)),
        ((1000, 1), (10, 10), (10, 1)),  # never empty
        ((8, 8), (0, 0), (1, 1)),
    ],
)
def test_the_size_fits_and_keeps_the_aspect(
    size: tuple[int, int], cells: tuple[int, int], drawn: tuple[int, int]
) -> None:
    assert fitted(*size, *cells) == drawn


def test_growing_repeats_pixels_and_shrinking_averages() -> None:
    grown = pixels(corners(), 4, 2)
    assert grown.getpixel((1, 1)) == (255, 0, 0)
    assert grown.getpixel((2, 1)) == (0, 255, 0)
    assert pixels(corners(), 1, 1).getpixel((0, 0)) == (128, 128, 128)


def test_a_cell_is_two_pixels() -> None:
    text = halfcells(corners(), 2, 1)
    assert text.plain == "▀▀"
    assert [str(span.style) for span in text.spans] == ["#ff0000 on #0000ff", "#00ff00 on #ffffff"]


def test_equal_neighbours_share_a_span() -> None:
    text = halfcells(Image.new("L", (30, 20), 7), 30, 10)
    assert text.plain == "\n".join(["▀" * 30] * 10)
    assert len(text.spans) == 10


def test_an_odd_last_line_has_nothing_behind_it() -> None:
    text = halfcells(Image.new("RGB", (1, 3), (1, 2, 3)), 1, 3)
    assert text.plain == "▀\n▀"
    assert str(text.spans[-1].style) == "#010203"


def test_reads_a_file_and_grey_as_colour(tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    Image.new("L", (2, 2), 128).save(path)
    assert str(halfcells(path, 2, 1).spans[0].style) == "#808080 on #808080"


def test_what_is_not_an_image_is_an_os_error(tmp_path: Path) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(b"\x89PNG\r\n")
    with pytest.raises(OSError, match="cannot identify"):
        halfcells(path, 10, 10)
