"""Pictures: right colours in the right cells, and one clear line where there is none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from tests.tui.widgets.hosts import Host, lines, until
from tui.widgets.halfcell import draw
from tui.widgets.picture import Picture, image_mode


@pytest.fixture
def sprite(tmp_path: Path) -> Path:
    """2 × 2 pixels: red, green over blue, white."""
    path = tmp_path / "sprite.png"
    image = Image.new("RGB", (2, 2))
    for place, colour in zip([(0, 0), (1, 0), (0, 1), (1, 1)], ["red", "lime", "blue", "white"], strict=True):
        image.putpixel(place, Image.new("RGB", (1, 1), colour).getpixel((0, 0)))  # type: ignore[arg-type]
    image.save(path)
    return path


def colours(drawn_row: tuple[object, ...]) -> list[tuple[str, str | None]]:
    return [
        (s.style.color.name, s.style.bgcolor.name if s.style.bgcolor else None)  # type: ignore[attr-defined]
        for s in drawn_row
    ]


def test_two_pixels_share_a_cell(sprite: Path) -> None:
    drawn = draw(sprite, 2, 1)
    assert drawn.columns == 2
    assert [colours(row) for row in drawn.rows] == [[("#ff0000", "#0000ff"), ("#00ff00", "#ffffff")]]


def test_neighbours_of_one_colour_are_sent_once() -> None:
    drawn = draw(Image.new("RGB", (30, 30), "teal"), 30, 15)
    assert [len(row) for row in drawn.rows] == [1] * 15


def test_an_odd_last_row_has_no_lower_half() -> None:
    drawn = draw(Image.new("L", (3, 3), 255), 3, 2)
    assert colours(drawn.rows[-1]) == [("#ffffff", None)]


def test_zoom_shows_the_upper_left_part_larger() -> None:
    image = Image.new("RGB", (80, 80), "black")
    image.paste("red", (0, 0, 20, 20))
    assert len(draw(image, 20, 10).rows[0][0].text) == 5
    assert len(draw(image, 20, 10, zoom=2).rows[0][0].text) == 10
    assert len(draw(image, 20, 10, zoom=4).rows[0][0].text) == 20


def test_zoom_keeps_the_aspect_in_a_wide_place() -> None:
    assert draw(Image.new("RGB", (40, 40)), 40, 10, zoom=2).columns == 40


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\nxx", b"no image at all"])
def test_a_broken_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    problem = draw(path, 10, 10).problem
    assert problem is not None
    assert problem.startswith("broken.png: ")


def test_a_file_cut_short_is_named(sprite: Path, tmp_path: Path) -> None:
    whole = tmp_path / "noise.png"
    Image.effect_noise((64, 64), 50).save(whole)
    whole.write_bytes(whole.read_bytes()[:300])
    assert draw(whole, 10, 10).problem is not None
    assert draw(tmp_path, 10, 10).problem == f"{tmp_path.name}: Is a directory"


async def test_it_is_centred_with_its_caption_below(sprite: Path) -> None:
    picture = Picture(sprite, "step [b]5[/b]")
    async with Host(picture).run_test(size=(30, 11)) as pilot:
        await until(pilot, lambda: picture.drawn)
        rows = lines(picture)
        assert [row.strip() for row in rows[:10]] == ["▀" * 20] * 10
        assert rows[0].startswith(" " * 5 + "▀")
        assert rows[10].strip() == "step [b]5[/b]"


async def test_it_stays_within_the_columns_allowed(sprite: Path) -> None:
    picture = Picture(sprite, max_columns=10)
    async with Host(picture).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: picture.drawn)
        assert max(row.count("▀") for row in lines(picture)) == 10
        picture.max_columns = 20
        await until(pilot, lambda: picture.drawn and picture.drawn.columns == 20)


async def test_a_missing_file_is_one_muted_line(tmp_path: Path) -> None:
    picture = Picture(tmp_path / "gone\x1b[31m.png")
    async with Host(picture).run_test(size=(60, 5)) as pilot:
        await until(pilot, lambda: picture.drawn)
        shown = [row.strip() for row in lines(picture) if row]
        assert shown == ["gone␛[31m.png: not there (any more)"]


async def test_without_an_image_the_alternative_stands_there() -> None:
    picture = Picture(alt="no samples yet")
    async with Host(picture).run_test(size=(40, 5)):
        assert lines(picture)[2].strip() == "no samples yet"


async def test_a_changed_file_is_drawn_again_and_an_unchanged_one_is_not(sprite: Path) -> None:
    picture = Picture(sprite)
    app = Host(picture, kinds=(Picture.Loaded,))
    async with app.run_test(size=(20, 10)) as pilot:
        await until(pilot, lambda: picture.drawn)
        first = picture.drawn
        picture.check()
        await pilot.pause(0.1)
        assert picture.drawn is first
        Image.new("RGB", (2, 2), "yellow").save(sprite)
        os.utime(sprite, ns=(1, 1))
        picture.check()
        await until(pilot, lambda: picture.drawn is not first)
        assert picture.drawn is not None
        assert colours(picture.drawn.rows[0]) == [("#ffff00", "#ffff00")]


async def test_another_image_is_drawn_though_it_lies_where_one_lay_that_is_gone() -> None:
    image = Image.new("RGB", (2, 2), "red")
    picture = Picture(image)
    async with Host(picture).run_test(size=(20, 10)) as pilot:
        await until(pilot, lambda: picture.drawn)
        first = picture.drawn
        image.paste("blue", (0, 0, 2, 2))  # as if it were a new one, at the same address
        picture.show(image)
        await until(pilot, lambda: picture.drawn is not first)
        assert picture.drawn is not None
        assert colours(picture.drawn.rows[0]) == [("#0000ff", "#0000ff")]


async def test_an_image_that_comes_late_does_not_replace_a_newer_one(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        Image.new("RGB", (4, 4), {"a": "red", "b": "lime", "c": "blue"}[name]).save(tmp_path / f"{name}.png")
    picture = Picture()
    async with Host(picture).run_test(size=(20, 10)) as pilot:
        for name in ("a", "b", "c"):
            picture.show(tmp_path / f"{name}.png", name)
        await until(pilot, lambda: picture.drawn)
        await pilot.pause(0.1)
        assert picture.drawn is not None
        assert colours(picture.drawn.rows[0]) == [("#0000ff", "#0000ff")]
        picture.show(None)
        assert picture.drawn is None


async def test_images_in_memory_are_shown_too() -> None:
    picture = Picture(Image.new("L", (4, 4), 128), "grey")
    async with Host(picture).run_test(size=(20, 10)) as pilot:
        await until(pilot, lambda: picture.drawn)
        assert picture.drawn is not None
        assert colours(picture.drawn.rows[0]) == [("#808080", "#808080")]


async def test_of_automatic_height_it_is_as_high_as_its_image(sprite: Path) -> None:
    picture = Picture(sprite, "two by two", max_columns=12)
    async with Host(picture, css="Picture { height: auto; }").run_test(size=(40, 20)) as pilot:
        await until(pilot, lambda: picture.size.height == 7)
        picture.show(None)
        await until(pilot, lambda: picture.size.height == 1)


def test_the_mode_is_half_cells() -> None:
    assert image_mode() == "half-cell"
