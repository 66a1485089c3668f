"""Attention with products of bfloat16: the definition, rounded where it is multiplied."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ddpm.kernels import calling, library
from ddpm.kernels.attention import _Attention, attend
from tests.ddpm.kernels.test_linear import rounded

pytestmark = pytest.mark.skipif(library.found().library is None, reason=library.found().reason)


def three(*shape: int, spread: float = 1.0) -> list[Tensor]:
    return [(spread * torch.randn(shape)).requires_grad_() for _ in range(3)]


def definition(q: Tensor, k: Tensor, v: Tensor, dy: Tensor) -> list[Tensor]:
    """The output and the gradients to q, k, v of one head (N, tokens, channels)."""
    scale, (a, b, c, d) = q.shape[2] ** -0.5, map(rounded, (q, k, v, dy))
    scores = a @ b.mT
    powers = (scale * (scores - scores.amax(2, keepdim=True))).exp()
    sums = powers.sum(2, keepdim=True)
    weights, dweights = powers / sums, d @ c.mT
    dscores = scale * weights * (dweights - (weights * dweights).sum(2, keepdim=True))
    rough = rounded(dscores)
    return [rounded(powers) @ c / sums, rough @ b, rough.mT @ a, rounded(weights).mT @ d]


def split(x: Tensor, heads: int) -> Tensor:
    """(N, tokens, heads · channels) as (N · heads, tokens, channels)."""
    return x.detach().unflatten(2, (heads, -1)).transpose(1, 2).flatten(0, 1)


@given(
    st.integers(1, 3),
    st.integers(1, 120),
    st.integers(1, 3),
    st.sampled_from([8, 16, 24, 64]),
    st.integers(0, 99),
)
def test_only_what_is_multiplied_is_rounded(
    count: int, tokens: int, heads: int, channels: int, seed: int
) -> None:
    torch.manual_seed(seed)
    q, k, v = three(count, tokens, heads * channels)
    o, dy = _Attention.apply(q, k, v, heads), torch.randn(count, tokens, heads * channels)
    found = [o, *torch.autograd.grad(o, (q, k, v), dy)]
    expected = definition(*(split(x, heads) for x in (q, k, v, dy)))
    # A weight at the middle between two of bfloat16 may fall to either: few of many, that changes little.
    limit = 1e-3 if tokens > 8 else 1e-2
    for one, other in zip(found, expected, strict=True):
        assert (split(one, heads) - other).norm() <= limit * other.norm() + 1e-6


@pytest.mark.parametrize(("tokens", "heads"), [(1, 1), (49, 1), (64, 2), (256, 4)])
def test_it_is_as_near_to_the_definition_as_bfloat16_allows(tokens: int, heads: int) -> None:
    torch.manual_seed(tokens)
    q, k, v = three(2, tokens, 64)
    dy = torch.randn(2, tokens, 64)
    exact = attend(q, k, v, heads)
    with calling.halves():
        result = attend(q, k, v, heads)
    torch.testing.assert_close(
        exact,
        F.scaled_dot_product_attention(*(x.unflatten(2, (heads, -1)).transpose(1, 2) for x in (q, k, v)))
        .transpose(1, 2)
        .flatten(2),
    )
    pairs = [(result, exact)]
    pairs += zip(*(torch.autograd.grad(y, (q, k, v), dy) for y in (result, exact)), strict=True)
    for found, expected in pairs:
        assert (found - expected).norm() <= 0.01 * expected.norm() + 1e-6
    assert not torch.equal(result, exact)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_an_image_depends_on_neither_batch_nor_threads(threads: int) -> None:
    torch.manual_seed(0)
    q, k, v = three(5, 50, 16)
    dy = torch.randn(5, 50, 16)

    def run(part: slice) -> list[Tensor]:
        o = _Attention.apply(q[part], k[part], v[part], 2)
        return [o, *(g[part] for g in torch.autograd.grad(o, (q, k, v), dy[part]))]

    alone = [torch.cat(parts) for parts in zip(*(run(slice(i, i + 1)) for i in range(5)), strict=True)]
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        together = run(slice(None))
    finally:
        torch.set_num_threads(before)
    for one, other in zip(alone, together, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("shift", [-1e4, 0.0, 1e4])
def test_scores_of_any_size_give_weights_that_add_up_to_one(shift: float) -> None:
    q, k = torch.full((1, 21, 8), 1.0), torch.full((1, 21, 8), shift)
    v = torch.randn(1, 21, 8)
    mean = v.bfloat16().float().mean(1, keepdim=True).expand(v.shape)
    torch.testing.assert_close(_Attention.apply(q, k, v, 1), mean, rtol=1e-5, atol=1e-5)
    k[0, 3] += 1e5  # all look at one
    torch.testing.assert_close(
        _Attention.apply(q, k, v, 1), v.bfloat16().float()[:, 3:4].expand(v.shape), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("tokens", [9, 16])
@pytest.mark.parametrize("shift", [-300.0, 300.0])
def test_gradients_hang_on_differences_of_scores_alone(tokens: int, shift: float) -> None:
    torch.manual_seed(0)
    q, (k, v, dy) = torch.ones(1, tokens, 8), (torch.randn(1, tokens, 8) for _ in range(3))
    q.requires_grad_(), k.mul_(2).round_().div_(4)  # sums with the shift stay exact in bfloat16
    found = []
    for by in (0.0, shift):  # a key's first channel shifts all scores of a query alike
        moved = k + by * torch.eye(8)[0]
        (dq,) = torch.autograd.grad(_Attention.apply(q, moved.bfloat16().float(), 10 + 10 * v, 1), q, dy)
        found.append(dq[..., 1:])
    assert found[1].isfinite().all()
    assert (found[0] - found[1]).norm() < 0.5 * found[0].norm()


def test_what_is_not_finite_stays_so() -> None:
    for which in range(3):
        for value in (torch.nan, torch.inf):
            parts = [torch.ones(1, 9, 8) for _ in range(3)]
            parts[which][0, 2, 1] = value
            assert not _Attention.apply(*parts, 1).isfinite().all()
