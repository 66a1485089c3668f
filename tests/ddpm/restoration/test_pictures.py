"""Images of every kind that people have, in and out again."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ddpm.restoration import pictures
from ddpm.restoration.pictures import Picture, PictureError, for_channels, mask_file, read, write

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
COLOUR = np.stack([GREY, GREY[::-1], np.full_like(GREY, 9)], 2)


def saved(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def kinds() -> dict[str, Image.Image]:
    grey, colour = Image.fromarray(GREY), Image.fromarray(COLOUR)
    alpha = Image.fromarray(255 - GREY)
    grey_alpha, colour_alpha = grey.convert("LA"), colour.convert("RGBA")
    grey_alpha.putalpha(alpha)
    colour_alpha.putalpha(alpha)
    return {
        "1": grey.point(lambda v: 255 * (v > 100)).convert("1"),
        "L": grey,
        "LA": grey_alpha,
        "P": colour.quantize(200),
        "RGB": colour,
        "RGBA": colour_alpha,
        "I;16": Image.fromarray(GREY.astype(np.uint16) * 257 + 3),
    }


@pytest.mark.parametrize("mode", kinds())
def test_a_png_comes_out_as_it_went_in(mode: str, tmp_path: Path) -> None:
    source = kinds()[mode]
    picture = read(saved(tmp_path / "in.png", source))
    assert picture.pixels.dtype == torch.float32
    assert picture.pixels.shape[1:] == (6, 8)
    assert 0 <= float(picture.pixels.min()) <= float(picture.pixels.max()) <= 1
    write(tmp_path / "deep" / "out.png", picture.pixels, picture)
    with Image.open(tmp_path / "deep" / "out.png") as back:
        wanted = {"1": "L", "P": "RGB"}.get(mode, mode)
        assert back.mode == wanted
        before = source if source.mode == wanted else source.convert(wanted)
        assert np.array_equal(np.asarray(back), np.asarray(before))


def test_sixteen_bits_of_grey_are_exact_in_tiff_too(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (5, 7)).astype(np.uint16)
    picture = read(saved(tmp_path / "in.tif", Image.fromarray(values)))
    assert picture.bits == 16
    write(tmp_path / "out.png", picture.pixels, picture)
    with Image.open(tmp_path / "out.png") as back:
        assert np.array_equal(np.asarray(back).astype(np.uint16), values)


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "HSV", "LAB"])
def test_other_colour_spaces_become_rgb(mode: str, tmp_path: Path) -> None:
    endings = {"CMYK": "jpg", "YCbCr": "jpg"}
    image = Image.fromarray(COLOUR)
    if mode in endings:
        path = saved(tmp_path / f"in.{endings[mode]}", image.convert(mode), quality=95)
    else:
        path = saved(tmp_path / "in.tif", image.convert("CMYK"))
    assert read(path).pixels.shape == (3, 6, 8)


def test_floats_are_taken_from_black_to_white(tmp_path: Path) -> None:
    share = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    assert np.allclose(read(saved(tmp_path / "a.tif", Image.fromarray(share))).pixels[0], share)
    assert np.allclose(
        read(saved(tmp_path / "b.tif", Image.fromarray(share * 255))).pixels[0], share, atol=1e-6
    )
    share[0, 0] = np.nan
    assert not bool(read(saved(tmp_path / "c.tif", Image.fromarray(share))).pixels.isnan().any())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied_once(orientation: int, tmp_path: Path) -> None:
    image = Image.fromarray(np.kron(COLOUR, np.ones((8, 8, 1), np.uint8)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / "in.jpg", image, exif=exif, quality=95)
    picture = read(path)
    turned = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}[orientation]
    wanted = image if turned is None else image.transpose(Image.Transpose(turned))
    assert picture.pixels.shape == (3, wanted.height, wanted.width)
    difference = np.abs(picture.pixels.permute(1, 2, 0).numpy() * 255 - np.asarray(wanted).astype(float))
    assert difference.mean() < 8
    write(tmp_path / "out.png", picture.pixels, picture)
    assert np.allclose(read(tmp_path / "out.png").pixels, picture.pixels, atol=1e-6)


def test_alpha_follows_an_image_that_grew(tmp_path: Path) -> None:
    picture = Picture(
        torch.rand(3, 4, 4), torch.tensor([[0.0, 1.0], [0.0, 1.0]]).repeat_interleave(2, 1).repeat(2, 1)
    )
    write(tmp_path / "out.png", torch.rand(3, 8, 8), picture)
    with Image.open(tmp_path / "out.png") as back:
        alpha = np.asarray(back)[..., 3]
        assert (back.size, back.mode) == ((8, 8), "RGBA")
        assert (alpha[:, 0] == 0).all()
        assert (alpha[:, -1] == 255).all()


def test_colour_of_a_grey_picture_is_kept_where_it_was_asked_for(tmp_path: Path) -> None:
    grey, colour = Picture(torch.rand(1, 4, 4)), torch.rand(3, 4, 4)
    write(tmp_path / "grey.png", colour, grey)
    write(tmp_path / "colour.png", colour, grey, colour=True)
    assert Image.open(tmp_path / "grey.png").mode == "L"
    assert Image.open(tmp_path / "colour.png").mode == "RGB"


def test_channels_fit_the_model_or_are_refused() -> None:
    grey, colour = Picture(torch.rand(1, 4, 4)), Picture(torch.rand(3, 4, 4))
    assert torch.equal(for_channels(grey, 3, "x")[2], grey.pixels[0])
    assert for_channels(Picture(grey.pixels.expand(3, -1, -1)), 1, "x").shape == (1, 4, 4)
    with pytest.raises(PictureError, match="x is in colour, and the model knows grey alone"):
        for_channels(colour, 1, "x")


def test_the_first_frame_of_an_animation(tmp_path: Path) -> None:
    frames = [Image.fromarray(GREY), Image.fromarray(GREY[::-1].copy())]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert np.allclose(read(tmp_path / "a.gif").pixels[0] * 255, GREY, atol=1)


def test_what_is_no_image_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "empty.png").touch()
    os.mkfifo(tmp_path / "pipe.png")
    whole = saved(
        tmp_path / "whole.png", Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8))
    )
    (tmp_path / "torn.png").write_bytes(whole.read_bytes()[:900])
    (tmp_path / "odd\nname.png").touch()
    saved(tmp_path / "wide.png", Image.new("1", (pictures.MAX_SIDE + 1, 1)))
    messages = {
        "text.png": "is no image",
        "empty.png": "is no image",
        "torn.png": "cannot be read",
        "odd\nname.png": "is no image",
        "missing.png": "does not exist",
        "pipe.png": "is no image, but a device or a pipe",
        "wide.png": "has 4097×1 pixels; at most 4096 a side are restored",
        ".": "cannot be read",
    }
    for name, message in messages.items():
        with pytest.raises(PictureError) as error:
            read(tmp_path / name)
        assert message in str(error.value)
        assert len(str(error.value).splitlines()) == 1


def test_a_mask_is_white_where_pixels_are_hidden(tmp_path: Path) -> None:
    values = np.zeros((4, 6), np.uint8)
    values[1, 2:4] = 255
    for mode in ("L", "1", "RGB", "RGBA"):
        seen = mask_file(saved(tmp_path / f"{mode}.png", Image.fromarray(values).convert(mode)))
        assert np.array_equal(seen.numpy(), values == 0)
    with pytest.raises(PictureError, match="hides nothing"):
        mask_file(saved(tmp_path / "none.png", Image.new("L", (4, 4), 0)))
    with pytest.raises(PictureError, match="hides everything"):
        mask_file(saved(tmp_path / "all.png", Image.new("L", (4, 4), 255)))


def test_a_picture_is_whole_or_not_there(tmp_path: Path) -> None:
    target = tmp_path / "out.png"
    target.mkdir()
    with pytest.raises(IsADirectoryError):
        write(target, torch.rand(1, 4, 4), Picture(torch.rand(1, 4, 4)))
    assert [p.name for p in tmp_path.iterdir()] == ["out.png"]
