"""The convolution that halves images, by gathered pixels."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ddpm.kernels import calling, library
from ddpm.kernels.strided import HalvingConv
from tests.ddpm.kernels.test_layers import relative
from tests.ddpm.kernels.test_linear import rounded

pytestmark = pytest.mark.skipif(library.found().library is None, reason=library.found().reason)


@given(
    st.integers(1, 3),
    st.sampled_from([8, 24, 40]),
    st.integers(1, 6),
    st.integers(1, 6),
    st.booleans(),
    st.integers(0, 99),
)
def test_only_what_is_multiplied_is_rounded(
    count: int, channels: int, down: int, across: int, channels_last: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    conv = HalvingConv(channels).to(memory_format=layout)
    x = torch.randn(count, channels, 2 * down, 2 * across).to(memory_format=layout).requires_grad_()
    with calling.halves():
        y = conv(x)
    assert y.shape == (count, channels, down, across)
    padded, weight = F.pad(rounded(x), (0, 1, 0, 1)).requires_grad_(), rounded(conv.weight).requires_grad_()
    expected = F.conv2d(padded, weight, conv.bias.detach().double(), stride=2)
    assert relative(y, expected) < 1e-5
    dy = torch.randn(y.shape)
    dx, dw, dbias = torch.autograd.grad(y, (x, conv.weight, conv.bias), dy)
    exact_dx, exact_dw = torch.autograd.grad(expected, (padded, weight), rounded(dy))
    assert relative(dx, exact_dx[:, :, :-1, :-1]) < 1e-5
    assert relative(dw, exact_dw) < 1e-5
    assert relative(dbias, dy.double().sum((0, 2, 3))) < 1e-5


def test_where_it_does_not_apply_it_is_torchs() -> None:
    torch.manual_seed(0)
    conv, odd = HalvingConv(8), HalvingConv(6)
    x, y = torch.randn(2, 8, 6, 6), torch.randn(2, 6, 6, 6)
    padded = F.pad(x, (0, 1, 0, 1))
    assert torch.equal(conv(x), nn.functional.conv2d(padded, conv.weight, conv.bias, stride=2))
    with calling.halves():
        plain = nn.functional.conv2d(F.pad(y, (0, 1, 0, 1)), odd.weight, odd.bias, stride=2)
        assert torch.equal(odd(y), plain)
        with pytest.raises(RuntimeError):
            conv(y)
