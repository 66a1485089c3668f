"""Convolutions with products of bfloat16: Winograd's algorithm by definition, rounded where they round."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ddpm import unet
from ddpm.config_model import ModelConfig
from ddpm.kernels import calling, layers, library
from ddpm.kernels.layers import Conv3x3, normalised
from tests.ddpm.kernels.test_layers import assert_near, gradients, relative

pytestmark = pytest.mark.skipif(library.found().library is None, reason=library.found().reason)

eights = st.sampled_from([8, 16, 24, 40, 64])
sides = st.integers(1, 9)


def rows_of(matrix: str, x: Tensor, axis: int) -> Tensor:
    """Bᵀ, G or A times the rows along an axis, in float32 and in the order in which the kernels add."""
    r = x.unbind(axis)
    if matrix == "B":
        found = [r[0] - r[2], r[1] + r[2], r[2] - r[1], r[1] - r[3]]
    elif matrix == "G":
        found = [r[0], 0.5 * (r[0] + r[1] + r[2]), 0.5 * (r[0] - r[1] + r[2]), r[2]]
    else:
        found = [r[0], r[0] + r[1], r[0] - r[1], -r[1]]
    return torch.stack(found, axis)


def tiles(x: Tensor, size: int, padding: int) -> Tensor:
    """(N, C, H, W) in squares (N, C, rows, columns, size, size) that begin two pixels apart, zeros around."""
    high, wide = x.shape[2] % 2, x.shape[3] % 2
    padded = nn.functional.pad(x, (padding, padding + wide, padding, padding + high))
    return padded.unfold(2, size, 2).unfold(3, size, 2)


def transformed(matrix: str, x: Tensor) -> Tensor:
    first, then = (-1, -2) if matrix == "G" else (-2, -1)  # as the kernels do: float32's own rounding counts
    return rows_of(matrix, rows_of(matrix, x, first), then).bfloat16().double()


def convolved(x: Tensor, weight: Tensor) -> Tensor:
    """What the algorithm gives where only what is multiplied is rounded."""
    v, u = transformed("B", tiles(x, 4, 1)), transformed("G", weight)
    m = torch.einsum("ncabij,kcij->nkabij", v, u)
    a = torch.tensor([[1.0, 1, 1, 0], [0, 1, -1, -1]], dtype=torch.float64)
    y = torch.einsum("pi,nkabij,qj->nkapbq", a, m, a)
    return y.flatten(4, 5).flatten(2, 3)[:, :, : x.shape[2], : x.shape[3]]


def weights_gradient(x: Tensor, dy: Tensor) -> Tensor:
    v, d = transformed("B", tiles(x, 4, 1)), transformed("A", tiles(dy, 2, 0))
    du = torch.einsum("ncabij,nkabij->kcij", v, d)
    g = torch.tensor([[1.0, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], dtype=torch.float64)
    return torch.einsum("ip,kcij,jq->kcpq", g, du, g)


@given(st.integers(1, 5), eights, eights, sides, sides, st.booleans(), st.integers(0, 99))
def test_only_what_is_multiplied_is_rounded(
    count: int, inputs: int, outputs: int, height: int, width: int, channels_last: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    conv, x = Conv3x3(inputs, outputs), torch.randn(count, inputs, height, width, requires_grad=True)
    if channels_last:
        conv = conv.to(memory_format=torch.channels_last)
    nn.init.normal_(bias := conv.bias)
    result = layers._Convolution.apply(x, conv.weight, bias, True)
    assert result.dtype == torch.float32
    weight, shift = conv.weight.detach(), bias.detach()
    assert relative(result, convolved(x.detach(), weight) + shift[:, None, None]) < 1e-5
    dy = torch.randn(result.shape)
    dx, dw, dbias = torch.autograd.grad(result, (x, conv.weight, bias), dy)
    assert relative(dx, convolved(dy, weight.transpose(0, 1).flip(2, 3))) < 1e-5
    assert relative(dw, weights_gradient(x.detach(), dy)) < 1e-5
    assert relative(dbias, dy.double().sum((0, 2, 3))) < 1e-5


def test_they_are_as_near_to_the_definition_as_bfloat16_allows() -> None:
    torch.manual_seed(0)
    conv, x = Conv3x3(64, 64), torch.randn(4, 64, 16, 16, requires_grad=True)
    exact = nn.Conv2d(64, 64, 3, padding=1).double()
    exact.load_state_dict(conv.state_dict())
    y = x.detach().double().requires_grad_()
    result, expected = layers._Convolution.apply(x, conv.weight, conv.bias, True), exact(y)
    pairs = [(result, expected)]
    pairs += zip(gradients(result, x, conv.weight), gradients(expected, y, exact.weight), strict=True)
    for found, wanted in pairs:
        assert (found - wanted).square().mean().sqrt() < 0.01 * wanted.square().mean().sqrt()


def test_what_is_not_finite_stays_so() -> None:
    torch.manual_seed(0)
    conv = Conv3x3(8, 8)
    strange = torch.tensor([0x7FFFFFFF], dtype=torch.int32).view(
        torch.float32
    )  # a NaN that rounding could lose
    for value in (torch.nan, torch.inf, strange.item()):
        x = torch.zeros(1, 8, 4, 4)
        x[0, 3, 0, 0] = value
        assert not layers._Convolution.apply(x, conv.weight, conv.bias, True).isfinite().all()


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_an_image_depends_on_neither_batch_nor_threads(threads: int) -> None:
    torch.manual_seed(0)
    conv, x = Conv3x3(24, 16), torch.randn(29, 24, 7, 7)
    alone = [layers._Convolution.apply(image[None], conv.weight, conv.bias, True) for image in x]
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        together = layers._Convolution.apply(x, conv.weight, conv.bias, True)
        one, other = (torch.autograd.grad(conv(x).square().sum(), conv.weight)[0] for _ in range(2))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(together, torch.cat(alone))
    assert torch.equal(one, other)


def test_they_are_taken_where_they_are_asked_for() -> None:
    torch.manual_seed(0)
    conv, norm, x = Conv3x3(8, 8), nn.GroupNorm(2, 8), torch.randn(2, 8, 5, 5)
    expected = layers._Convolution.apply(x, conv.weight, conv.bias, True)
    with calling.halves():
        result, after = conv(x), normalised(norm, x, silu=True)
        assert torch.equal(result, expected)
        with torch.no_grad():
            assert torch.equal(conv.eval()(x), expected)  # by weights that are kept prepared
    assert torch.equal(after, normalised(norm, x, silu=True))  # everything else is float32
    with torch.no_grad():
        assert not torch.equal(conv(x), expected)  # and outside so are convolutions, prepared anew
    gradient = torch.autograd.grad(result.square().sum(), conv.weight)  # of what was computed inside
    assert torch.equal(gradient[0], torch.autograd.grad(expected.square().sum(), conv.weight)[0])


def test_a_network_learns_with_them() -> None:
    torch.manual_seed(0)
    model = ModelConfig(channels=8, multipliers=(1, 2), blocks=1, attention=(4,), dropout=0.0, classes=3)
    network = unet.UNet(model, 1, 8)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2)
    x, times, labels = torch.randn(4, 1, 8, 8), torch.arange(4), torch.tensor([0, 1, 2, 3])
    exact = torch.autograd.grad(network(x, times, labels).square().mean(), list(network.parameters()))
    with calling.halves():
        loss = network(x, times, labels).square().mean()
    found = torch.autograd.grad(loss, list(network.parameters()))
    one, other = (torch.cat([part.flatten() for part in parts]) for parts in (found, exact))
    assert 0.9 < torch.nn.functional.cosine_similarity(one, other, dim=0) < 1


@pytest.mark.parametrize(("inputs", "outputs"), [(3, 16), (16, 3), (12, 8), (4, 4)])
def test_an_images_own_channels_are_filled_up_to_eights(inputs: int, outputs: int) -> None:
    torch.manual_seed(0)
    conv, x = Conv3x3(inputs, outputs), torch.randn(2, inputs, 7, 6, requires_grad=True)
    exact = nn.functional.conv2d(x, conv.weight, conv.bias, padding=1)
    assert torch.equal(conv(x), exact)
    with calling.halves():
        result = conv(x)
        with pytest.raises(RuntimeError):
            conv(x[:, :2])
    assert_near(result, exact, x, *conv.parameters(), within=0.03)
    assert not torch.equal(result, exact)


@pytest.mark.parametrize("patch", [1, 2])
def test_a_network_says_the_same_of_an_image_in_any_batch(patch: int) -> None:
    """To the bit: what differs by float rounding alone could round to another bfloat16 further on."""
    torch.manual_seed(0)
    model = ModelConfig(
        channels=16,
        multipliers=(1, 2),
        blocks=1,
        attention=(8 // patch,),
        dropout=0.0,
        classes=3,
        patch=patch,
    )
    network = unet.UNet(model, 3, 16).eval()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    x, times, labels = torch.randn(7, 3, 16, 16), torch.arange(7) * 50, torch.arange(7) % 3
    with torch.no_grad(), calling.halves():
        together = network(x, times, labels)
        for size in (1, 2, 3):
            parts = zip(x.split(size), times.split(size), labels.split(size), strict=True)
            assert torch.equal(torch.cat([network(*part) for part in parts]), together)
