from __future__ import annotations

import os
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ddpm import folder
from ddpm.datafiles import DataError

RANDOM = np.random.default_rng(0)


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    shape = (height, width) if channels == 1 else (height, width, channels)
    return RANDOM.integers(0, 256, shape, np.uint8)


def save(path: Path, array: np.ndarray, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return path


def one(path: Path, size: int, channels: int = 3) -> np.ndarray:
    """The only image of a folder."""
    images, _, notices = folder.read(path.parent, size, channels)
    assert notices == ()
    assert images.dtype == torch.uint8
    assert images.shape == (1, channels, size, size)
    return images[0].numpy()


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "TIFF", "PnG", "webp", "gif", "jpg", "JPEG"])
def test_every_kind_is_read(tmp_path: Path, ending: str) -> None:
    array = np.full((6, 6, 3), (200, 100, 50), np.uint8)
    options = {"lossless": True} if ending == "webp" else {}
    read = one(save(tmp_path / f"a.{ending}", array, **options), 6)
    assert np.abs(read.astype(int) - array.transpose(2, 0, 1)).max() <= (3 if "j" in ending.lower() else 0)


def test_order_is_by_path_and_subfolders_are_read(tmp_path: Path) -> None:
    names = ["b/1.png", "a.png", "a/z.png", "a/b/c.png", "B.png", "a-b/0.png"]
    for value, name in enumerate(names):
        save(tmp_path / name, np.full((4, 4), value, np.uint8))
    images, labels, notices = folder.read(tmp_path, 4, 1)
    order = sorted(range(len(names)), key=lambda i: Path(names[i]).parts)
    assert images[:, 0, 0, 0].tolist() == order
    assert labels is None  # not all lie in sub-folders
    assert notices == ()


def test_first_level_folders_are_labels(tmp_path: Path) -> None:
    for name in ("cat/1.png", "cat/deep/2.png", "ant/3.png", "dog/4.png"):
        save(tmp_path / name, noise(4, 4))
    (tmp_path / "dog/broken.png").write_bytes(b"")
    images, labels, _ = folder.read(tmp_path, 4, 3)
    assert labels is not None
    assert labels.dtype == torch.int64
    assert labels.tolist() == [0, 1, 1, 2]
    assert len(images) == 4


def test_native_size_is_kept_to_the_byte(tmp_path: Path) -> None:
    array = noise(8, 8)
    assert np.array_equal(one(save(tmp_path / "a.png", array), 8), array.transpose(2, 0, 1))


def test_middle_square_is_cut(tmp_path: Path) -> None:
    array = noise(8, 14)
    assert np.array_equal(one(save(tmp_path / "a.png", array), 8), array[:, 3:11].transpose(2, 0, 1))
    shutil.rmtree(tmp_path)
    array = noise(12, 8, 1)
    assert np.array_equal(one(save(tmp_path / "a.png", array), 8, 1)[0], array[2:10])


def test_shrinking_is_antialiased(tmp_path: Path) -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))  # finer than the result can show
    read = one(save(tmp_path / "a.png", stripes), 16, 1)
    assert 100 < read[:, 2:-2, 2:-2].min() <= read[:, 2:-2, 2:-2].max() < 156


def test_grey_and_colour(tmp_path: Path) -> None:
    array = noise(5, 5)
    path = save(tmp_path / "a.png", array)
    luma = array @ np.array([0.299, 0.587, 0.114])
    assert np.abs(one(path, 5, 1)[0] - luma).max() <= 1
    grey = noise(5, 5, 1)
    assert np.array_equal(one(save(path, grey), 5, 3), np.stack([grey] * 3))


def test_sixteen_bit_grey_is_scaled(tmp_path: Path) -> None:
    values = np.array([[0, 257, 32896, 65535]] * 4, np.uint16)
    for name in ("a.png", "a.tif"):
        path = tmp_path / name
        Image.fromarray(values).save(path)
        assert one(path, 4, 1)[0].tolist() == [[0, 1, 128, 255]] * 4
        path.unlink()


def test_float_grey_is_taken_by_its_range(tmp_path: Path) -> None:
    values = np.array([[0, 0.5, 1, 0.25]] * 4, np.float32)
    path = tmp_path / "a.tif"
    Image.fromarray(values).save(path)
    assert one(path, 4, 1)[0, 0].tolist() == [0, 128, 255, 64]
    Image.fromarray(values * 300).save(path)
    assert one(path, 4, 1)[0, 0].tolist() == [0, 150, 255, 75]


def test_transparent_becomes_white(tmp_path: Path) -> None:
    array = noise(4, 4, 4)
    array[..., 3] = [0, 255, 0, 255]
    read = one(save(tmp_path / "a.png", array), 4)
    assert (read[:, :, [0, 2]] == 255).all()
    assert np.array_equal(read[:, :, [1, 3]], array[:, [1, 3], :3].transpose(2, 0, 1))


def test_palette_and_its_transparent_colour(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), mode="P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.save(tmp_path / "a.png")
    assert one(tmp_path / "a.png", 2)[:, 0].tolist() == [[10, 40], [20, 50], [30, 60]]
    image.save(tmp_path / "a.png", transparency=1)
    assert one(tmp_path / "a.png", 2)[:, 0].tolist() == [[10, 255], [20, 255], [30, 255]]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "CMYK", "YCbCr"])
def test_other_modes(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(np.full((4, 4, 3), 255, np.uint8)).convert(mode)
    path = tmp_path / ("a.tif" if mode in ("CMYK", "YCbCr") else "a.png")
    image.save(path)
    assert (one(path, 4) >= 254).all()


def test_turned_as_exif_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    array = noise(4, 4)
    path = save(tmp_path / "a.png", array, exif=exif)
    assert np.array_equal(one(path, 4), np.rot90(array, -1).transpose(2, 0, 1))


def test_first_frame_of_an_animation(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((4, 4), value, np.uint8)) for value in (10, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert (one(tmp_path / "a.gif", 4, 1) == 10).all()


def test_broken_images_are_named_skipped_and_counted(tmp_path: Path) -> None:
    for index in range(8):
        save(tmp_path / f"{index}.png", np.full((4, 4), index, np.uint8))
    (tmp_path / "3.png").write_bytes((tmp_path / "2.png").read_bytes()[:50])
    (tmp_path / "5.jpg").write_bytes(b"not an image")
    images, _, notices = folder.read(tmp_path, 4, 1)
    assert notices == ("2 of 9 images could not be read: 3.png, 5.jpg",)
    assert images[:, 0, 0, 0].tolist() == [0, 1, 2, 4, 5, 6, 7]
    assert images.is_contiguous()


def test_at_most_fifty_broken_ones_are_named_in_one_printable_line(tmp_path: Path) -> None:
    save(tmp_path / "good.png", noise(4, 4))
    for index in range(1006):
        (tmp_path / f"{index:04}.png").touch()
    (tmp_path / "0000.png").rename(tmp_path / "\x1b[31m\nred.png")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")).touch()
    (notice,) = folder.read(tmp_path, 4, 3)[2]
    named = ", ".join(f"{index:04}.png" for index in range(1, 50))
    assert notice == (f"1,007 of 1,008 images could not be read: \\x1b[31m\\nred.png, {named} and 957 more")


def test_image_that_unpacks_to_gigabytes_is_refused_quickly(tmp_path: Path) -> None:
    save(tmp_path / "good.png", noise(4, 4))
    path = save(tmp_path / "bomb.png", np.zeros((4, 4), np.uint8))
    content = bytearray(path.read_bytes())
    content[16:24] = (60_000).to_bytes(4, "big") * 2  # the header's width and height, and its checksum
    content[29:33] = zlib.crc32(bytes(content[12:29])).to_bytes(4, "big")
    path.write_bytes(content)
    assert folder.read(tmp_path, 4, 3)[2] == ("1 of 2 images could not be read: bomb.png",)


def test_links_are_followed_and_loops_end(tmp_path: Path) -> None:
    save(tmp_path / "data/a/1.png", noise(4, 4))
    save(tmp_path / "elsewhere/2.png", noise(4, 4))
    (tmp_path / "data/a/loop").symlink_to(tmp_path / "data", target_is_directory=True)
    (tmp_path / "data/self").symlink_to("self")
    (tmp_path / "data/gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "data/more").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "data/more.png").symlink_to(tmp_path / "elsewhere/2.png")
    (tmp_path / "link").symlink_to(tmp_path / "data", target_is_directory=True)
    images, _, notices = folder.read(tmp_path / "link", 4, 3)
    assert len(images) == 3
    assert notices == ("1 of 4 images could not be read: gone.png",)


def test_folder_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "open/1.png", noise(4, 4))
    save(tmp_path / "shut/2.png", noise(4, 4))
    scandir = os.scandir

    def refusing(path: Path) -> object:  # for root, who may run the tests, every folder is open
        if Path(path).name == "shut":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert folder.read(tmp_path, 4, 3)[2] == ("folder shut could not be read",)
    with pytest.raises(DataError, match=r"has no image in it .*; folder \. could not be read"):
        folder.read(tmp_path / "shut", 4, 3)


def test_what_is_no_file_or_hidden_is_left_out(tmp_path: Path) -> None:
    save(tmp_path / "good.png", noise(4, 4))
    save(tmp_path / ".thumbnails/x.png", noise(4, 4))
    (tmp_path / "._good.png").write_bytes(b"resource fork")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "notes.txt").write_text("no image")
    os.mkfifo(tmp_path / "pipe.png")  # opening it would wait for ever
    images, _, notices = folder.read(tmp_path, 4, 3)
    assert len(images) == 1
    assert notices == ()


def test_no_image_at_all(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no image in it \(png jpg"):
        folder.read(tmp_path, 4, 3)
    (tmp_path / "a.png").touch()
    with pytest.raises(DataError, match=r"1 of 1 images could not be read: a\.png"):
        folder.read(tmp_path, 4, 3)
    with pytest.raises(DataError, match="not a folder"):
        folder.read(tmp_path / "a.png", 4, 3)
    with pytest.raises(DataError, match="missing"):
        folder.read(tmp_path / "nowhere", 4, 3)


def test_more_images_than_memory_is_one_clear_line(tmp_path: Path) -> None:
    save(tmp_path / "a.png", noise(4, 4))
    with pytest.raises(DataError, match=r"1 images of 40000000×40000000 take [\d,.]+ GB"):
        folder.read(tmp_path, 40_000_000, 3)
