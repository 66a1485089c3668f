"""Every degradation is what its singular value decomposition says, on any size and number of channels."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ddpm.restoration import masks
from ddpm.restoration.compressed import CompressedSensing
from ddpm.restoration.degradation import Degradation
from ddpm.restoration.pixelwise import LUMA, Greying, Masking
from ddpm.restoration.separable import Separable, averaging, bicubic, blurring, gaussian, uniform

SHAPES = [(1, 8, 8), (3, 8, 4), (2, 4, 12), (1, 16, 8), (3, 12, 8)]


def degradations(shape: tuple[int, int, int]) -> dict[str, Degradation]:
    c, h, w = shape
    made: dict[str, Degradation] = {
        "noise": Masking(c, masks.everything(h, w)),
        "box": Masking(c, masks.box(h, w, 0.25)),
        "random": Masking(c, masks.random(h, w, 0.5, seed=h)),
        "planes": Masking(c, torch.rand(shape) < 0.5),
        "average 2": Separable(c, averaging(h, 2), averaging(w, 2)),
        "average 4": Separable(c, averaging(h, 4), averaging(w, 4)),
        "bicubic 2": Separable(c, bicubic(h, 2), bicubic(w, 2)),
        "bicubic 4": Separable(c, bicubic(h, 4), bicubic(w, 4)),
        "uniform": Separable(c, blurring(h, uniform(3)), blurring(w, uniform(3))),
        "gaussian": Separable(c, blurring(h, gaussian(1)), blurring(w, gaussian(1))),
        "anisotropic": Separable(c, blurring(h, gaussian(0.5)), blurring(w, gaussian(2))),
        "compressed": CompressedSensing(shape, 0.3, seed=c),
    }
    if c == 3:
        made["grey"] = Greying(h, w)
    return made


CASES = [(shape, name) for shape in SHAPES for name in degradations(shape)]


@pytest.fixture(params=CASES, ids=lambda case: f"{'x'.join(map(str, case[0]))} {case[1]}")
def degradation(request: pytest.FixtureRequest) -> Degradation:
    torch.manual_seed(0)
    shape, name = request.param
    return degradations(shape)[name]


def images(degradation: Degradation, count: int = 3) -> Tensor:
    return torch.randn(count, *degradation.shape, dtype=torch.float64)


def measurements(degradation: Degradation, count: int = 3) -> Tensor:
    return torch.randn(count, *degradation.measured, dtype=torch.float64)


def matrix(degradation: Degradation) -> Tensor:
    """H as the dense matrix that nothing but a test makes, float64 (measurements, values)."""
    size = math.prod(degradation.shape)
    unit = torch.eye(size, dtype=torch.float64).view(size, *degradation.shape)
    return degradation.degrade(unit).flatten(1).T


def test_v_is_orthogonal(degradation: Degradation) -> None:
    x = images(degradation)
    s = degradation.to_spectral(x)
    assert s.shape == x.shape
    torch.testing.assert_close(degradation.from_spectral(s), x)
    torch.testing.assert_close(degradation.to_spectral(degradation.from_spectral(x)), x)
    torch.testing.assert_close(s.square().sum(), x.square().sum())


def test_u_is_orthogonal(degradation: Degradation) -> None:
    seen = (degradation.singulars > 0).expand(degradation.shape)
    s = images(degradation) * seen
    y = degradation.measure(s)
    assert y.shape == (3, *degradation.measured)
    torch.testing.assert_close(degradation.unmeasure(y), s)
    torch.testing.assert_close(y.square().sum(), s.square().sum())
    hidden = images(degradation) * ~seen
    assert torch.all(degradation.measure(hidden) == 0)
    assert torch.all(degradation.unmeasure(measurements(degradation)) * ~seen == 0)


def test_the_singular_values_are_the_matrix_s(degradation: Degradation) -> None:
    dense = torch.linalg.svdvals(matrix(degradation))
    told = degradation.singulars.expand(degradation.shape).flatten().sort(descending=True).values
    torch.testing.assert_close(told[: len(dense)], dense, atol=2e-6, rtol=1e-6)
    assert torch.all(told[len(dense) :] == 0)


def test_the_adjoint_is_the_transpose(degradation: Degradation) -> None:
    y = measurements(degradation)
    torch.testing.assert_close(degradation.adjoint(y).flatten(1), y.flatten(1) @ matrix(degradation))


def test_the_pseudo_inverse_is_moore_and_penrose_s(degradation: Degradation) -> None:
    """Their four conditions."""
    x, y = images(degradation), measurements(degradation)
    h, plus = degradation.degrade, degradation.pseudo_inverse
    torch.testing.assert_close(h(plus(h(x))), h(x), atol=1e-8, rtol=1e-6)
    torch.testing.assert_close(plus(h(plus(y))), plus(y), atol=1e-6, rtol=1e-6)
    other_y, other_x = measurements(degradation), images(degradation)
    torch.testing.assert_close((h(plus(y)) * other_y).sum(), (y * h(plus(other_y))).sum())
    torch.testing.assert_close((plus(h(x)) * other_x).sum(), (x * plus(h(other_x))).sum())


def test_single_precision_is_kept(degradation: Degradation) -> None:
    x = images(degradation).float()
    y = degradation.degrade(x)
    assert y.dtype == degradation.pseudo_inverse(y).dtype == torch.float32
    torch.testing.assert_close(y.double(), degradation.degrade(x.double()), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "name", sorted(set(degradations((3, 8, 8))) - {"compressed", "box", "random", "planes"})
)
def test_a_plain_image_stays_plain(name: str) -> None:
    """So that black, white and every grey of a degraded file mean what they meant before."""
    degradation = degradations((3, 8, 8))[name]
    plain = torch.full((1, 3, 8, 8), 0.3, dtype=torch.float64)
    torch.testing.assert_close(
        degradation.degrade(plain), torch.full((1, *degradation.measured), 0.3, dtype=torch.float64)
    )


# -- each is the field's own ------------------------------------------------------------------------


def test_hidden_pixels_are_left_out() -> None:
    seen = torch.tensor([[True, False], [False, True]])
    x = torch.arange(1.0, 9.0).view(1, 2, 2, 2)
    expected = torch.tensor([[[[1.0, 0], [0, 4]], [[5, 0], [0, 8]]]])
    assert torch.equal(Masking(2, seen).degrade(x), expected)


def test_grey_is_luma() -> None:
    x = torch.randn(2, 3, 4, 5)
    expected = sum(weight * x[:, i : i + 1] for i, weight in enumerate(LUMA))
    torch.testing.assert_close(Greying(4, 5).degrade(x), expected)


@pytest.mark.parametrize("scale", [2, 4])
def test_averaging_is_average_pooling(scale: int) -> None:
    x = torch.randn(2, 3, 8, 12)
    shrunk = Separable(3, averaging(8, scale), averaging(12, scale)).degrade(x)
    torch.testing.assert_close(shrunk, F.avg_pool2d(x, scale))


@pytest.mark.parametrize("scale", [2, 4])
def test_bicubic_is_the_antialiased_resize(scale: int) -> None:
    x = torch.randn(2, 1, 16, 8)
    shrunk = Separable(1, bicubic(16, scale), bicubic(8, scale)).degrade(x)
    expected = F.interpolate(x, scale_factor=1 / scale, mode="bicubic", antialias=True)
    torch.testing.assert_close(shrunk, expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("kernel", "size"), [(uniform(3), 8), (gaussian(1.0), 5), (gaussian(2.0), 4)])
def test_blur_is_a_convolution_with_a_mirrored_rim(kernel: Tensor, size: int) -> None:
    """Also where the kernel is wider than the image."""
    x = torch.randn(1, 1, size, size, dtype=torch.float64)
    reach = len(kernel) // 2
    tiled = torch.cat([x.flip(3), x] * 4, 3)
    tiled = torch.cat([tiled.flip(2), tiled] * 4, 2)
    start = 3 * size
    part = tiled[..., start - reach : start + size + reach, start - reach : start + size + reach]
    expected = F.conv2d(part, (kernel[:, None] * kernel)[None, None])
    got = Separable(1, blurring(size, kernel), blurring(size, kernel)).degrade(x)
    torch.testing.assert_close(got, expected)


def test_kernels_sum_to_one_and_are_as_wide_as_said() -> None:
    assert len(uniform(5)) == 5
    for kernel in (uniform(5), gaussian(0.3), gaussian(3)):
        assert len(kernel) % 2 == 1
        torch.testing.assert_close(kernel.sum(), torch.tensor(1.0, dtype=torch.float64))
    place = torch.arange(len(gaussian(3))) - len(gaussian(3)) // 2
    assert float((gaussian(3) * place**2).sum()) == pytest.approx(9, rel=0.05)


def test_what_does_not_divide_is_refused() -> None:
    for shrink in (averaging, bicubic):
        with pytest.raises(ValueError, match="28 pixels cannot be shrunk 3 times"):
            shrink(28, 3)


def test_compressed_sensing_takes_as_many_measurements_as_asked() -> None:
    shape = (1, 6, 7)
    assert CompressedSensing(shape, 0.5).measured == (21,)
    assert CompressedSensing(shape, 1e-9).measured == (1,)
    full = CompressedSensing(shape, 1.0)
    x = torch.randn(2, *shape)
    torch.testing.assert_close(full.pseudo_inverse(full.degrade(x)), x)
    one, same, other = (CompressedSensing(shape, 0.5, seed=seed).degrade(x) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.allclose(one, other)


def test_masks_hide_what_they_are_asked_to() -> None:
    assert masks.everything(3, 4).all()
    box = masks.box(28, 28, 0.25)
    assert not box[7:21, 7:21].any()
    assert int(box.sum()) == 28 * 28 - 14 * 14
    random = masks.random(28, 28, 0.9, seed=1)
    assert int((~random).sum()) == round(0.9 * 784)
    assert torch.equal(random, masks.random(28, 28, 0.9, seed=1))
    assert not torch.equal(random, masks.random(28, 28, 0.9, seed=2))
    assert not masks.random(4, 4, 1.0).any()
