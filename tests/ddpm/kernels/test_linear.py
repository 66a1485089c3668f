"""Linear maps with products of bfloat16: torch's, of numbers that are rounded before they are multiplied."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ddpm.kernels import calling, library
from ddpm.kernels.linear import Conv1x1, Linear, _Linear
from tests.ddpm.kernels.test_layers import assert_near, relative

pytestmark = pytest.mark.skipif(library.found().library is None, reason=library.found().reason)

eights = st.sampled_from([8, 16, 24, 40, 64, 136])


def rounded(x: Tensor) -> Tensor:
    return x.detach().bfloat16().double()


@given(st.integers(1, 300), eights, eights, st.booleans(), st.integers(0, 99))
def test_only_what_is_multiplied_is_rounded(
    rows: int, inputs: int, outputs: int, turned: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    x, weight = torch.randn(rows, inputs, requires_grad=True), torch.randn(outputs, inputs)
    weight = (weight.mT.contiguous().mT if turned else weight).requires_grad_()
    bias, dy = torch.randn(outputs, requires_grad=True), torch.randn(rows, outputs)
    y = _Linear.apply(x, weight, bias)
    assert y.dtype == torch.float32
    assert relative(y, rounded(x) @ rounded(weight).mT + bias.detach()) < 1e-5
    dx, dw, dbias = torch.autograd.grad(y, (x, weight, bias), dy)
    assert relative(dx, rounded(dy) @ rounded(weight)) < 1e-5
    assert relative(dw, rounded(dy).mT @ rounded(x)) < 1e-5
    assert relative(dbias, dy.double().sum(0)) < 1e-5


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_row_depends_on_neither_the_others_nor_threads(threads: int) -> None:
    torch.manual_seed(0)
    x, weight, bias = torch.randn(293, 24), torch.randn(16, 24, requires_grad=True), torch.randn(16)
    alone = torch.cat([_Linear.apply(row, weight, bias) for row in x.split(7)])
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        together = _Linear.apply(x, weight, bias)
        one, other = (
            torch.autograd.grad(_Linear.apply(x, weight, bias).square().sum(), weight)[0] for _ in range(2)
        )
    finally:
        torch.set_num_threads(before)
    assert torch.equal(together, alone)
    assert torch.equal(one, other)


def test_they_are_taken_where_they_are_asked_for() -> None:
    torch.manual_seed(0)
    linear, x = Linear(16, 24), torch.randn(3, 5, 16)
    expected = _Linear.apply(x.flatten(0, 1), linear.weight, linear.bias).unflatten(0, (3, 5))
    plain = nn.functional.linear(x, linear.weight, linear.bias)
    assert torch.equal(linear(x), plain)
    with calling.halves():
        assert torch.equal(linear(x), expected)
        assert torch.equal(linear(x.double().float()), expected)
        odd = Linear(12, 24)  # not of whole vectors
        assert torch.equal(odd(x[..., :12]), nn.functional.linear(x[..., :12], odd.weight, odd.bias))
        with pytest.raises(RuntimeError):
            linear(x[..., :8])
    assert not torch.equal(expected, plain)


@pytest.mark.parametrize("channels_last", [False, True])
def test_a_convolution_of_one_pixel_is_such_a_map(channels_last: bool) -> None:
    torch.manual_seed(0)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    conv = Conv1x1(16, 24).to(memory_format=layout)
    x = torch.randn(3, 16, 5, 4).to(memory_format=layout).requires_grad_()
    exact = conv(x)
    with calling.halves():
        result = conv(x)
    assert result.shape == (3, 24, 5, 4)
    assert torch.equal(exact, nn.functional.conv2d(x, conv.weight, conv.bias))
    assert_near(result, exact, x, *conv.parameters(), within=0.02)
    assert not torch.equal(result, exact)


def test_what_is_not_finite_stays_so() -> None:
    weight, bias = torch.ones(8, 8), torch.zeros(8)
    for value in (torch.nan, torch.inf):
        x = torch.zeros(3, 8)
        x[1, 3] = value
        y = _Linear.apply(x, weight, bias)
        assert not y[1].isfinite().any()
        assert y[[0, 2]].isfinite().all()
