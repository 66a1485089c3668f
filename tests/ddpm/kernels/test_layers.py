"""The kernels compute what their definition says, forwards and backwards."""

import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ddpm.kernels import layers, library
from ddpm.kernels.layers import Conv3x3, normalised

pytestmark = pytest.mark.skipif(library.found().library is None, reason=library.found().reason)

eights = st.sampled_from([8, 16, 24, 40, 64])
sides = st.integers(1, 9)


def relative(found: Tensor | None, exact: Tensor | None) -> float:
    assert found is not None
    assert exact is not None
    error = (found.detach() - exact.detach()).abs().max()
    return float(error / exact.detach().abs().max().clamp_min(1))


def gradients(result: Tensor, *of: Tensor) -> tuple[Tensor, ...]:
    """Of a random weighing of the result, the same for either precision."""
    weights = torch.randn(result.shape, generator=torch.Generator().manual_seed(1))
    return torch.autograd.grad(result, of, weights.to(result.dtype))


def assert_near(result: Tensor, exact: Tensor, *of: Tensor, within: float) -> None:
    """So are the results and their gradients, and they have the same shapes."""
    pairs = [(result, exact), *zip(gradients(result, *of), gradients(exact, *of), strict=True)]
    for found, expected in pairs:
        assert found.shape == expected.shape
        assert relative(found, expected) < within


@given(st.integers(1, 5), eights, eights, sides, sides, st.booleans(), st.integers(0, 99))
def test_convolutions_are_the_definitions(
    count: int, inputs: int, outputs: int, height: int, width: int, channels_last: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    conv, x = Conv3x3(inputs, outputs), torch.randn(count, inputs, height, width)
    if channels_last:
        conv, x = conv.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
    x.requires_grad_()
    result = conv(x)
    assert type(result.grad_fn).__name__ == "_ConvolutionBackward"
    exact = nn.Conv2d(inputs, outputs, 3, padding=1).double()
    exact.load_state_dict(conv.state_dict())
    y = x.detach().double().requires_grad_()
    expected = exact(y)
    assert relative(result, expected) < 3e-6
    assert exact.bias is not None
    assert conv.bias is not None
    found = gradients(result, x, conv.weight, conv.bias)
    wanted = gradients(expected, y, exact.weight, exact.bias)
    assert max(map(relative, found, wanted)) < 3e-6


@given(
    st.integers(1, 4), eights, st.sampled_from([1, 2, 4, 8]), sides, st.booleans(), st.booleans(),
    st.sampled_from([0.0, 300.0]), st.integers(0, 99),
)  # fmt: skip
def test_normalisations_are_the_definitions(
    count: int, channels: int, groups: int, side: int, silu: bool, shifted: bool, mean: float, seed: int
) -> None:
    torch.manual_seed(seed)
    norm = nn.GroupNorm(groups, channels, eps=1e-6)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    x = (torch.randn(count, channels, side, side + 1) + mean).requires_grad_()
    shift = torch.randn(count, channels, requires_grad=True) if shifted else None
    result = normalised(norm, x, shift, silu=silu)
    assert type(result.grad_fn).__name__ == "_NormalisationBackward"
    exact = nn.GroupNorm(groups, channels, eps=1e-6).double()
    exact.load_state_dict(norm.state_dict())
    y = x.detach().double().requires_grad_()
    by = shift.detach().double().requires_grad_() if shift is not None else None
    expected = exact(y if by is None else y + by[:, :, None, None])
    expected = F.silu(expected) if silu else expected
    few = channels // groups * side * (side + 1) < 8  # of so few values the deviation may be next to nothing
    tolerance = (1e-4 if few else 1e-5) * (1 + mean)
    assert relative(result, expected) < tolerance
    of = [x, norm.weight, norm.bias] + ([shift] if shift is not None else [])
    wanted = gradients(expected, *([y, exact.weight, exact.bias] + ([by] if by is not None else [])))
    if not few:
        assert max(map(relative, gradients(result, *of), wanted)) < tolerance


@pytest.mark.parametrize("z", [-200.0, -30.0, 0.0, 30.0, 200.0])
def test_extreme_values_are_activated_as_by_torch(z: float) -> None:
    norm = nn.GroupNorm(1, 8)
    nn.init.zeros_(norm.weight)
    nn.init.constant_(norm.bias, z)
    x = torch.randn(1, 8, 2, 2, requires_grad=True)
    result = normalised(norm, x, silu=True)
    assert torch.allclose(result, F.silu(torch.full_like(result, z)), rtol=1e-6, atol=1e-12)
    assert torch.isfinite(gradients(result, x, norm.bias)[1]).all()


def test_what_is_not_finite_stays_so() -> None:
    conv, norm = Conv3x3(8, 8), nn.GroupNorm(2, 8)
    x = torch.zeros(1, 8, 4, 4)
    x[0, 0, 0, 0] = torch.nan
    assert conv(x).isnan().any()
    assert normalised(norm, x, silu=True)[0, :4].isnan().all()


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_an_image_depends_on_neither_batch_nor_threads(threads: int) -> None:
    torch.manual_seed(0)
    conv, norm = Conv3x3(24, 16), nn.GroupNorm(4, 16)
    x = torch.randn(29, 24, 7, 7)
    alone = [normalised(norm, conv(image[None]), silu=True) for image in x]
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        together = normalised(norm, conv(x), silu=True)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(together, torch.cat(alone))


def test_the_gradient_of_weights_is_the_same_each_time() -> None:
    torch.manual_seed(0)
    conv, x = Conv3x3(24, 16), torch.randn(33, 24, 9, 9)
    one, other = (torch.autograd.grad(conv(x).square().sum(), conv.weight)[0] for _ in range(2))
    assert torch.equal(one, other)


def test_torch_computes_what_they_do_not() -> None:
    torch.manual_seed(0)
    odd, conv, norm = Conv3x3(8, 3), Conv3x3(8, 8), nn.GroupNorm(4, 12)
    x = torch.randn(2, 8, 5, 5)
    assert torch.equal(odd(x), F.conv2d(x, odd.weight, odd.bias, padding=1))
    twelve = torch.randn(2, 12, 5, 5)
    shift = torch.randn(2, 12)
    assert torch.equal(normalised(norm, twelve, shift), norm(twelve + shift[:, :, None, None]))
    with torch.autocast("cpu", torch.bfloat16):
        assert conv(x).dtype == torch.bfloat16
    double = Conv3x3(8, 8).double()
    assert double(x.double()).dtype == torch.float64
    assert conv(x[:0]).shape == (0, 8, 5, 5)


def test_they_are_what_a_network_uses() -> None:
    conv = Conv3x3(8, 8)
    assert layers._applies(torch.zeros(1, 8, 2, 2), 8, conv.weight, conv.bias)


@torch.no_grad()
def test_weights_that_change_are_prepared_anew() -> None:
    torch.manual_seed(0)
    conv, x = Conv3x3(8, 16).eval(), torch.randn(2, 8, 5, 5)

    def right() -> bool:
        return torch.allclose(conv(x), F.conv2d(x, conv.weight, conv.bias, padding=1), atol=1e-5)

    assert right()
    kept = conv._kept
    assert right()
    assert conv._kept is kept  # once for as long as they stay
    conv.weight.mul_(2)
    assert right()
    torch._foreach_lerp_([conv.weight], [torch.randn_like(conv.weight)], 0.5)
    assert right()
    conv.load_state_dict(Conv3x3(8, 16).state_dict())
    assert right()
    conv.to(memory_format=torch.channels_last)
    assert right()
    conv.weight = nn.Parameter(torch.randn(16, 8, 3, 3))
    assert right()
    other = copy.deepcopy(conv)
    other.weight.add_(1)
    assert right()
    assert torch.allclose(other(x), F.conv2d(x, other.weight, other.bias, padding=1), atol=1e-5)


def test_an_optimiser_that_counts_no_version_up_is_noticed() -> None:
    torch.manual_seed(0)
    conv, x = Conv3x3(8, 16), torch.randn(2, 8, 5, 5)
    optimizer = torch.optim.AdamW(conv.parameters(), lr=0.1, fused=True)

    def right() -> bool:
        with torch.no_grad():
            return torch.allclose(conv(x), F.conv2d(x, conv.weight, conv.bias, padding=1), atol=1e-5)

    for _ in range(3):  # as a training that draws now and then, and asks itself without a gradient meanwhile
        conv.train()
        assert right()
        conv(x).square().sum().backward()
        optimizer.step()
        assert right()
        conv.eval()
        assert right()


@pytest.mark.parametrize(
    "call",
    [
        lambda: Conv3x3(8, 8)(torch.randn(1, 16, 4, 4)),
        lambda: Conv3x3(8, 8).double()(torch.randn(1, 8, 4, 4)),
        lambda: normalised(nn.GroupNorm(8, 8), torch.randn(1, 16, 4, 4)),
        lambda: normalised(nn.GroupNorm(8, 8).double(), torch.randn(1, 8, 4, 4)),
        lambda: normalised(nn.GroupNorm(8, 8), torch.randn(2, 8, 4, 4), torch.randn(3, 8)),
        lambda: normalised(nn.GroupNorm(8, 8), torch.randn(2, 8, 4, 4), torch.randn(2, 16)),
    ],
)
@pytest.mark.parametrize("learns", [True, False])
def test_what_does_not_fit_is_refused_as_torch_does(call: Callable[[], Tensor], learns: bool) -> None:
    """A kernel would read and write where nothing of it is."""
    with torch.set_grad_enabled(learns), pytest.raises(RuntimeError):
        call()
