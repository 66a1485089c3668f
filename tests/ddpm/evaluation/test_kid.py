"""KID against a direct double loop, its lack of bias, and its error against the spread of many draws."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ddpm.errors import EngineError
from ddpm.evaluation import kid as module
from ddpm.evaluation.kid import Kid, kid


def mmd2(x: np.ndarray, y: np.ndarray) -> float:
    """The unbiased estimate by its definition, one pair after the other."""

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return (float(np.dot(a, b)) / len(a) + 1) ** 3

    m, n = len(x), len(y)
    xx = sum(kernel(x[i], x[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    yy = sum(kernel(y[i], y[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    return xx + yy - 2 * sum(kernel(a, b) for a in x for b in y) / (m * n)


def found(x: np.ndarray, y: np.ndarray, **options: int) -> Kid:
    result = kid(x, y, **options)
    assert result is not None
    return result


@given(st.integers(0, 2**31), st.integers(2, 12), st.floats(-2, 2))
@settings(max_examples=30)
def test_a_block_is_the_double_loop(seed: int, count: int, shift: float) -> None:
    generator = np.random.default_rng(seed)
    x, y = generator.normal(size=(2, count, 5))
    y = y + shift
    estimate = module._mmd2(torch.from_numpy(x), torch.from_numpy(y))
    assert estimate == pytest.approx(mmd2(x, y), rel=1e-10, abs=1e-10)


@pytest.mark.parametrize(
    ("images", "block", "blocks"), [(100, 1000, 10), (130, 10, 13), (250, 1000, 10), (95, 5, 0)]
)
def test_it_is_the_mean_over_disjoint_blocks_with_their_standard_error(
    images: int, block: int, blocks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each image is used once at most. Rows are marked by their first number."""
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(images, 3)), generator.normal(size=(images + 7, 3))
    x[:, 0], y[:, 0] = np.arange(len(x)), np.arange(len(y))
    parts: list[tuple[np.ndarray, np.ndarray]] = []

    def record(a: torch.Tensor, b: torch.Tensor) -> float:
        parts.append((a.numpy(), b.numpy()))
        return float(len(parts) ** 2)

    monkeypatch.setattr(module, "_mmd2", record)
    result = kid(x, y, block=block)
    assert len(parts) == blocks
    if not blocks:
        assert result is None
        return
    squares = np.arange(1, blocks + 1) ** 2
    assert result == Kid(pytest.approx(squares.mean()), pytest.approx(squares.std(ddof=1) / blocks**0.5))
    for side in (0, 1):
        used = np.concatenate([part[side][:, 0] for part in parts])
        assert len(set(used)) == len(used) == blocks * min(block, images // 10)
        assert set(used) <= set(range(images + 7 * side))


def test_two_points_have_a_closed_form() -> None:
    """All images of a set alike: k(a,a) + k(b,b) - 2 k(a,b), and no error."""
    x, y = np.full((100, 4), 1.0), np.full((100, 4), 2.0)
    assert found(x, y) == Kid(pytest.approx(2**3 + 5**3 - 2 * 3**3), pytest.approx(0, abs=1e-12))


def test_it_is_zero_on_average_where_the_sets_are_alike_and_its_error_is_the_spread() -> None:
    """Over 200 draws: no bias, negative values as often, and the errors it told are how far it spread."""
    generator = np.random.default_rng(0)
    results = [found(*np.abs(generator.normal(size=(2, 300, 8)))) for _ in range(200)]
    values, errors = (np.array([getattr(r, name) for r in results]) for name in ("value", "error"))
    assert abs(values.mean()) < 3 * values.std() / 200**0.5
    assert 60 < (values < 0).sum() < 140
    assert np.sqrt((errors**2).mean()) == pytest.approx(values.std(), rel=0.2)


@pytest.mark.parametrize("images", [100, 1000])
def test_its_mean_does_not_depend_on_the_number_of_images_and_its_error_is_the_spread(images: int) -> None:
    """Unlike FID's. Between two Gaussians in one dimension the kernel's means have a closed form."""
    generator = np.random.default_rng(1)
    shift = 0.5
    results = [
        found(generator.normal(size=(images, 1)), shift + generator.normal(size=(images, 1)))
        for _ in range(150)
    ]
    values, errors = (np.array([getattr(r, name) for r in results]) for name in ("value", "error"))
    # E(xy + 1)³ over independent x, y is m3 m3' + 3 m2 m2' + 3 m1 m1' + 1, of the raw moments m
    near, far = (0.0, 1.0, 0.0), (shift, 1 + shift**2, 3 * shift + shift**3)
    expected = sum(w * (a - b) ** 2 for w, a, b in zip((3, 3, 1), near, far, strict=True))
    assert abs(values.mean() - expected) < 4 * values.std() / 150**0.5
    assert np.sqrt((errors**2).mean()) == pytest.approx(values.std(), rel=0.2)


def test_rows_sorted_by_class_give_the_same_as_mixed_ones() -> None:
    """Blocks of one class each would be far from everything, though the sets are alike."""
    generator = np.random.default_rng(0)
    classes = np.repeat(np.arange(10.0), 100)[:, None]
    x, y = (classes + 0.1 * generator.normal(size=(1000, 4)) for _ in range(2))
    result = found(x, y)
    assert abs(result.value) < 4 * result.error
    assert abs(result.value) < 0.01 * found(x, y + 5).value


def test_images_that_correspond_do_not_meet() -> None:
    """A set against itself, image by image: each is not compared with its own copy in every block."""
    x = np.random.default_rng(0).normal(size=(1000, 16))
    own = float(np.mean((np.square(x).mean(1) + 1) ** 3)) / 100  # what a block's diagonal would add
    result = found(x, x)
    assert abs(result.value) < own
    assert abs(result.value) < 4 * result.error


def test_it_does_not_see_rotation_and_is_repeatable() -> None:
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(2, 200, 6))
    turn = np.linalg.qr(generator.normal(size=(6, 6)))[0]
    result = found(x, y)
    assert found(x, y) == result
    assert found(x @ turn, y @ turn) == Kid(pytest.approx(result.value), pytest.approx(result.error))


def test_float32_features_are_compared_in_float64() -> None:
    x, y = np.random.default_rng(0).normal(3, 1, size=(2, 200, 64)).astype(np.float32)
    assert found(x, y) == found(x.astype(np.float64), y.astype(np.float64))


@pytest.mark.parametrize(("one", "other"), [(99, 5000), (5000, 99), (2, 2), (0, 0)])
def test_too_few_images_have_none(one: int, other: int) -> None:
    assert kid(np.ones((one, 2)), np.ones((other, 2))) is None


def test_bad_features_are_refused() -> None:
    x = np.ones((100, 2))
    bad = x.copy()
    bad[17, 1] = np.nan
    with pytest.raises(EngineError, match="features of image 17 are not finite"):
        kid(x, bad)
    with pytest.raises(EngineError, match="dimension 2 cannot be compared with features of dimension 3"):
        kid(x, np.ones((100, 3)))
