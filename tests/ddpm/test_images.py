from __future__ import annotations

import math
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from ddpm.errors import EngineError
from ddpm.images import grid, read_png_text, save_png, to_uint8

PIXELS = torch.arange(256).view(1, 1, 16, 16)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_pixel_value_maps_to_itself(dtype: torch.dtype) -> None:
    assert torch.equal(to_uint8(PIXELS.to(dtype) / 127.5 - 1), PIXELS.to(torch.uint8))


def test_rounds_half_up_and_clips() -> None:
    # 127.5 x + 127.5 is the unrounded pixel; x = 0 is 127.5 and goes up.
    x = torch.tensor([-2.0, -1.0, 0.0, 1.0, 1.5, math.inf, -math.inf, math.nan], dtype=torch.float64)
    assert to_uint8(x).tolist() == [0, 0, 128, 255, 255, 255, 0, 0]


@given(st.floats(-3, 3, width=32))
def test_pixel_is_the_nearest_one(x: float) -> None:
    unrounded = min(255.0, max(0.0, x * 127.5 + 127.5))
    assert abs(int(to_uint8(torch.tensor(x))) - unrounded) <= 0.5 + 1e-4


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_is_rounded_in_float32(dtype: torch.dtype) -> None:
    x = torch.linspace(-1, 1, 97).to(dtype)
    assert torch.equal(to_uint8(x), to_uint8(x.float()))


@given(
    count=st.integers(1, 13),
    channels=st.sampled_from([1, 3]),
    height=st.integers(1, 5),
    width=st.integers(1, 5),
    columns=st.none() | st.integers(1, 15),
    gap=st.integers(0, 3),
)
def test_grid_holds_every_image_in_order(
    count: int, channels: int, height: int, width: int, columns: int | None, gap: int
) -> None:
    images = torch.randint(1, 256, (count, channels, height, width), dtype=torch.uint8)
    sheet = grid(images, columns, gap)
    across = min(count, columns or math.ceil(math.sqrt(count)))
    down = math.ceil(count / across)
    assert sheet.shape == (down * (height + gap) - gap, across * (width + gap) - gap, channels)
    for index in range(count):
        top, left = index // across * (height + gap), index % across * (width + gap)
        cell = sheet[top : top + height, left : left + width].copy()
        assert np.array_equal(cell, images[index].permute(1, 2, 0).numpy())
        sheet[top : top + height, left : left + width] = 0
    assert not sheet.any()  # gaps and empty cells are black


@pytest.mark.parametrize(
    ("images", "columns"),
    [
        (torch.zeros(0, 1, 4, 4, dtype=torch.uint8), None),
        (torch.zeros(2, 1, 4, 4), None),
        (torch.zeros(4, 4, dtype=torch.uint8), None),
        (torch.zeros(2, 1, 4, 4, dtype=torch.uint8), -1),
    ],
)
def test_grid_refuses_what_it_cannot_draw(images: torch.Tensor, columns: int | None) -> None:
    with pytest.raises(ValueError, match="grid"):
        grid(images, columns)


SHAPES = array_shapes(min_dims=2, max_dims=2, max_side=6).flatmap(
    lambda size: st.sampled_from([size, (*size, 1), (*size, 3)])
)
KEYS = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=79)
TEXTS = st.dictionaries(KEYS, st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))


@given(SHAPES.flatmap(lambda shape: arrays(np.uint8, shape)), TEXTS)
def test_png_gives_back_pixels_and_texts(
    tmp_path_factory: pytest.TempPathFactory, array: np.ndarray, text: dict[str, str]
) -> None:
    path = tmp_path_factory.mktemp("png") / "image.png"
    save_png(path, array, text)
    with Image.open(path) as image:
        stored = np.asarray(image)
    assert np.array_equal(stored, array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array)
    assert read_png_text(path) == text


def test_png_text_survives_a_name_that_is_no_unicode(tmp_path: Path) -> None:
    save_png(tmp_path / "a.png", np.zeros((2, 2), np.uint8), {"name": "m\udcffist"})
    assert read_png_text(tmp_path / "a.png") == {"name": "m\\udcffist"}


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 2)),
        np.zeros((2, 2, 4), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((1, 1, 2, 2), np.uint8),
    ],
)
def test_png_refuses_other_arrays(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(ValueError, match="PNG takes"):
        save_png(tmp_path / "a.png", array)
    assert list(tmp_path.iterdir()) == []


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """Writes beyond `size` bytes fail, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_failed_png_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    save_png(path, np.full((2, 2), 7, np.uint8))
    before = path.read_bytes()
    noise = np.random.default_rng(0).integers(0, 256, (300, 300), np.uint8)
    with files_at_most(20_000), pytest.raises(OSError, match="too large"):
        save_png(path, noise)
    with pytest.raises(ValueError, match="keyword"):
        save_png(path, noise, {"x" * 80: "too long a keyword"})
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n", None])
def test_text_of_what_is_no_png_is_one_clear_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EngineError, match=r"a\.png") as caught:
        read_png_text(path)
    assert "\n" not in str(caught.value)


def test_text_of_a_png_cut_short_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    save_png(path, np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8), {"seed": "1"})
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(EngineError, match=r"a\.png"):
        read_png_text(path)
