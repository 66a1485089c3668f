"""The two conventions of bringing pixels to Inception's size and range."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from ddpm.evaluation.resize import CONVENTIONS, Convention, prepare

sizes = st.integers(1, 40)


def pixels(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@given(height=sizes, width=sizes, size=sizes)
@settings(max_examples=30, deadline=None)
def test_pytorch_fid_s_is_torch_s_bilinear_interpolation(height: int, width: int, size: int) -> None:
    images = pixels(2, 3, height, width)
    expected = 2 * F.interpolate(images.float() / 255, (size, size), mode="bilinear") - 1
    torch.testing.assert_close(prepare(images, size, "pytorch-fid"), expected, atol=1e-5, rtol=0)


@given(old=st.integers(2, 40), new=st.integers(1, 60))
@settings(max_examples=30, deadline=None)
def test_tensorflow_s_grid_begins_on_the_corner_and_is_not_centred(old: int, new: int) -> None:
    """A ramp is interpolated exactly: pixel i lies at i·old/new, and stays at the last beyond it."""
    ramp = torch.arange(old, dtype=torch.uint8)[None, None, None, :].expand(1, 1, old, old)
    found = prepare(ramp, new, "tensorflow") * 128 + 128
    place = (torch.arange(new) * old / new).clamp(max=old - 1)
    torch.testing.assert_close(found[0, 0], place.expand(new, new), atol=1e-4, rtol=0)
    torch.testing.assert_close(
        prepare(ramp.mT.contiguous(), new, "tensorflow").mT, prepare(ramp, new, "tensorflow")
    )


@pytest.mark.parametrize(
    ("convention", "black", "white"), [("tensorflow", -1, 127 / 128), ("pytorch-fid", -1, 1)]
)
def test_the_range(convention: Convention, black: float, white: float) -> None:
    images = torch.tensor([0, 255], dtype=torch.uint8)[:, None, None, None].expand(2, 1, 5, 7)
    found = prepare(images, 11, convention)
    assert found.shape == (2, 1, 11, 11)
    assert found[0].unique().tolist() == [black]
    assert found[1].unique().tolist() == [white]


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_no_resize_changes_no_pixel(convention: Convention) -> None:
    images = pixels(1, 3, 9, 9)
    middle = 127.5 if convention == "pytorch-fid" else 128
    assert torch.equal(prepare(images, 9, convention), (images.float() - middle) / middle)


def test_the_conventions_differ() -> None:
    images = pixels(1, 3, 32, 32)
    assert (prepare(images, 299, "tensorflow") - prepare(images, 299, "pytorch-fid")).abs().max() > 0.1
