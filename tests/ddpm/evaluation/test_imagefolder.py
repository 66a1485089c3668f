"""A folder of images as pytorch-fid reads it, and all that is refused in one line."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ddpm.errors import EngineError
from ddpm.evaluation import imagefolder
from ddpm.evaluation.imagefolder import ImageFolder


def noise(*shape: int, seed: int = 0, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def save(path: Path, array: np.ndarray, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return path


def all_images(folder: Path, size: int = 3) -> torch.Tensor:
    return torch.cat(list(ImageFolder(folder).batches(size)))


def test_images_come_by_name_in_batches_and_to_the_byte(tmp_path: Path) -> None:
    images = {f"{name}.png": noise(5, 4, 3, seed=i) for i, name in enumerate(("b", "10", "9", "A", "a"))}
    for name, array in images.items():
        save(tmp_path / name, array)
    found = ImageFolder(tmp_path)
    assert (len(found), found.size, found.notices) == (5, (4, 5), ())
    batches = list(found.batches(2))
    assert [tuple(batch.shape) for batch in batches] == [(2, 3, 5, 4), (2, 3, 5, 4), (1, 3, 5, 4)]
    assert all(batch.dtype == torch.uint8 and batch.is_contiguous() for batch in batches)
    expected = np.stack([images[name] for name in sorted(images)]).transpose(0, 3, 1, 2)
    assert np.array_equal(torch.cat(batches).numpy(), expected)


@pytest.mark.parametrize("ending", ["bmp", "jpg", "JPEG", "ppm", "PNG", "tif", "tiff", "webp"])
def test_every_kind_is_taken(tmp_path: Path, ending: str) -> None:
    for name in "ab":
        save(tmp_path / f"{name}.{ending}", np.full((8, 8, 3), (200, 100, 50), np.uint8))
    assert (all_images(tmp_path)[:, :, 4, 4].float() - torch.tensor([200.0, 100, 50])).abs().max() <= 3


def test_only_images_of_the_folder_itself_count(tmp_path: Path) -> None:
    save(tmp_path / "a.png", noise(4, 4, 3))
    save(tmp_path / "sub" / "b.png", noise(4, 4, 3))
    save(tmp_path / ".hidden.png", noise(4, 4, 3))
    save(tmp_path / "demo.gif", noise(9, 9))  # pytorch-fid leaves it out too
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "notes.txt").write_text("no image")
    os.mkfifo(tmp_path / "pipe.png")  # opening it would wait for ever
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    assert len(ImageFolder(tmp_path)) == 2


def saved_modes(folder: Path) -> dict[str, Path]:
    colour = noise(6, 6, 3)
    return {
        "grey": save(folder / "grey.png", noise(6, 6)),
        "palette": save_image(folder / "palette.png", Image.fromarray(colour).quantize(8)),
        "see-through": save(folder / "see-through.png", noise(6, 6, 4)),
        "grey see-through": save(folder / "grey-see-through.png", noise(6, 6, 2)),
        "sixteen bits": save(folder / "sixteen.png", noise(6, 6, dtype=np.uint16)),
        "one bit": save_image(folder / "one.png", Image.fromarray(colour).convert("1")),
        "cmyk": save_image(folder / "cmyk.tif", Image.fromarray(colour).convert("CMYK")),
        "turned": save_turned(folder / "turned.png", colour),
    }


def save_image(path: Path, image: Image.Image) -> Path:
    image.save(path)
    return path


def save_turned(path: Path, array: np.ndarray) -> Path:
    exif = Image.Exif()
    exif[0x0112] = 6  # viewers turn it a quarter clockwise
    return save(path, array, exif=exif)


def test_every_mode_becomes_what_pytorch_fid_makes_of_it(tmp_path: Path) -> None:
    """Its words: `Image.open(path).convert("RGB")`."""
    paths = saved_modes(tmp_path)
    found = all_images(tmp_path)
    expected = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(paths.values())]
    assert np.array_equal(found.numpy(), np.stack(expected).transpose(0, 3, 1, 2))


def test_what_matters_of_the_files_is_told(tmp_path: Path) -> None:
    saved_modes(tmp_path)
    save(tmp_path / "photo.jpg", noise(6, 6, 3))
    assert ImageFolder(tmp_path).notices == (
        "1 of 9 images are JPEG: the traces of its compression count in every score",
        "1 of 9 images have more than 8 bits: values above 255 become 255, as pytorch-fid has it",
        "2 of 9 images have transparency, which is ignored, as pytorch-fid has it",
    )


def refused(folder: Path, message: str) -> None:
    with pytest.raises(EngineError, match=message) as error:
        ImageFolder(folder)
    assert len(str(error.value).splitlines()) == 1


def test_mixed_sizes_are_refused_with_two_files_named(tmp_path: Path) -> None:
    for name in ("0.png", "1.png"):
        save(tmp_path / name, noise(32, 32, 3))
    save(tmp_path / "2.png", noise(32, 48, 3))
    refused(tmp_path, r"mixes sizes: 0\.png is 32×32, 2\.png is 48×32; resize them first")


def test_corrupt_files_are_named(tmp_path: Path) -> None:
    for index in range(6):
        save(tmp_path / f"{index}.png", noise(4, 4, 3))
    (tmp_path / "3.png").write_bytes(b"not an image")
    refused(tmp_path, r"3\.png cannot be read: it is no image that Pillow knows")
    (tmp_path / "5.png").write_bytes(b"")
    (tmp_path / "2.png").unlink()
    (tmp_path / "2.png").symlink_to(tmp_path / "gone.png")
    refused(tmp_path, r"3 of 6 images cannot be read: 2\.png, 3\.png, 5\.png$")
    for name in "01":
        (tmp_path / f"{name}.png").write_bytes(b"\x89PNG")
    refused(tmp_path, r"5 of 6 images cannot be read: 0\.png, 1\.png, 2\.png and 2 more")


def test_pixels_that_are_cut_short_are_named_when_their_turn_comes(tmp_path: Path) -> None:
    for index in range(4):
        save(tmp_path / f"{index}.png", noise(32, 32, 3, seed=index))
    content = (tmp_path / "2.png").read_bytes()
    (tmp_path / "2.png").write_bytes(content[: len(content) // 2])
    batches = ImageFolder(tmp_path).batches(2)
    assert len(next(batches)) == 2
    with pytest.raises(EngineError, match=r"2\.png cannot be read: ") as error:
        next(batches)
    assert len(str(error.value).splitlines()) == 1


def test_a_file_that_changes_meanwhile_is_named(tmp_path: Path) -> None:
    for name in "ab":
        save(tmp_path / f"{name}.png", noise(4, 4, 3))
    found = ImageFolder(tmp_path)
    save(tmp_path / "b.png", noise(5, 5, 3))
    with pytest.raises(EngineError, match=r"b\.png has changed while it was looked at"):
        list(found.batches(2))


def test_no_image_says_what_was_looked_for(tmp_path: Path) -> None:
    refused(tmp_path, r"has no image in it \(bmp jpg jpeg pgm png")
    save(tmp_path / "images" / "a.png", noise(4, 4, 3))
    (tmp_path / "empty").mkdir()
    refused(tmp_path, "has no image in it; sub-folders are not read, and images has some: name one$")
    for name in "wxyz":
        save(tmp_path / name / "a.png", noise(4, 4, 3))
    refused(tmp_path, "sub-folders are not read, and images, w, x and 2 more have some: name one$")


def test_names_are_shown_as_one_printable_line(tmp_path: Path) -> None:
    save(tmp_path / "a.png", noise(4, 4, 3))
    (tmp_path / "b\x1b[31m\n.png").write_bytes(b"x")
    refused(tmp_path, r"b\\x1b\[31m\\n\.png cannot be read")


def test_threads_stay_just_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many images there are, only a batch and a few more are in memory."""
    for index in range(60):
        save(tmp_path / f"{index:02}.png", noise(4, 4, 3))
    decoded: list[Path] = []
    original = ImageFolder._decoded

    def counting(self: ImageFolder, path: Path) -> np.ndarray:
        decoded.append(path)
        return original(self, path)

    monkeypatch.setattr(ImageFolder, "_decoded", counting)
    batches = ImageFolder(tmp_path).batches(4)
    next(batches)
    assert len(decoded) <= 4 + 4 + imagefolder._THREADS + 1
    batches.close()
    assert len(decoded) < 60
