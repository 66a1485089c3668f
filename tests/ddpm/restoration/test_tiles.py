"""Tiles: what a network of one size says of images of any."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ddpm.restoration.tiles import reflected, tiled
from ddpm.samplers.steps import Denoised

SIZE = 8


def squared(x: Tensor, time: int) -> Denoised:
    """What looks at each pixel alone."""
    assert x.shape[-2:] == (SIZE, SIZE)
    return Denoised(x**2 + time)


@settings(max_examples=40)
@given(
    height=st.integers(SIZE, 40),
    width=st.integers(SIZE, 40),
    count=st.integers(1, 3),
    overlap=st.floats(0, 0.7),
    batch_size=st.integers(1, 9),
)
def test_a_denoiser_of_single_pixels_is_itself(
    height: int, width: int, count: int, overlap: float, batch_size: int
) -> None:
    x = torch.randn(count, 2, height, width)
    found = tiled(squared, SIZE, overlap=overlap, batch_size=batch_size)(x, 3).x_0
    assert torch.allclose(found, x**2 + 3, atol=1e-4)


def test_an_image_of_the_networks_size_is_one_plain_call() -> None:
    calls = []

    def denoise(x: Tensor, time: int) -> Denoised:
        calls.append(x)
        return Denoised(x * 2)

    x = torch.randn(5, 1, SIZE, SIZE)
    assert torch.equal(tiled(denoise, SIZE)(x, 0).x_0, x * 2)
    assert calls[0] is x
    assert len(calls) == 1


def test_at_most_a_batch_of_tiles_is_computed_at_once() -> None:
    counts = []

    def denoise(x: Tensor, time: int) -> Denoised:
        counts.append(len(x))
        return Denoised(x)

    tiled(denoise, SIZE, batch_size=4)(torch.randn(2, 1, 20, 20), 0)
    assert max(counts) == 4
    assert sum(counts) == 2 * 9


def test_neighbouring_tiles_blend_without_a_seam() -> None:
    numbers = iter(range(100))

    def constant(x: Tensor, time: int) -> Denoised:
        return Denoised(torch.stack([torch.full_like(tile, next(numbers)) for tile in x]))

    row = tiled(constant, SIZE, overlap=0.5)(torch.zeros(1, 1, SIZE, 3 * SIZE), 0).x_0[0, 0, 0]
    steps = row.diff()
    assert (steps >= 0).all()
    assert float(steps.max()) < 0.5  # of 1 between one tile and the next


@settings(max_examples=40)
@given(
    height=st.integers(1, 6), width=st.integers(1, 6), more=st.tuples(st.integers(0, 20), st.integers(0, 20))
)
def test_padding_mirrors_and_is_cut_off_exactly(height: int, width: int, more: tuple[int, int]) -> None:
    x = torch.randn(2, 3, height, width)
    padded = reflected(x, height + more[0], width + more[1])
    assert padded.shape == (2, 3, height + more[0], width + more[1])
    assert torch.equal(padded[..., :height, :width], x)
    for i in range(height, height + more[0]):
        place = i % (2 * height)
        place = place if place < height else 2 * height - 1 - place
        assert torch.equal(padded[..., i, :width], x[..., place, :])
