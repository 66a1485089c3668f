"""Streaming mean and covariance against numpy's, and what they refuse."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddpm.errors import EngineError
from ddpm.evaluation import moments
from ddpm.evaluation.moments import Moments, Statistics, statistics_of
from ddpm.evaluation.rows import BLOCK


def assert_numpys(found: Statistics, rows: np.ndarray) -> None:
    """Mean and covariance are numpy's to 1e-12 of the spread (the mean, of its own size besides).

    numpy gets the rows relative to the first one: far from zero it would itself be the less exact.
    """
    exact = rows.astype(np.float64)
    covariance = np.atleast_2d(np.cov(exact - exact[0], rowvar=False, ddof=1))
    spread = np.abs(covariance).max()
    assert np.abs(found.covariance.numpy() - covariance).max() <= 1e-12 * spread
    mean = exact.mean(0)
    assert np.abs(found.mean.numpy() - mean).max() <= 1e-12 * (np.abs(mean).max() + spread**0.5)
    assert found.count == len(rows)


@given(
    st.integers(0, 2**31),
    st.lists(st.integers(0, 40), min_size=1, max_size=8).filter(lambda sizes: sum(sizes) >= 2),
    st.sampled_from([0.0, 1.0, -1e3, 1e6, 1e9]),
    st.sampled_from([1e-3, 1.0, 1e3]),
)
def test_blocks_of_any_size_give_numpys_covariance_also_far_from_zero(
    seed: int, sizes: list[int], offset: float, scale: float
) -> None:
    generator = np.random.default_rng(seed)
    rows = offset + scale * generator.normal(size=(sum(sizes), 5)) @ generator.normal(size=(5, 5))
    collected = Moments(5)
    for part in np.split(rows, np.cumsum(sizes)[:-1]):
        collected.add(part)
    assert_numpys(collected.statistics(), rows)


def test_images_sorted_by_kind_do_not_spoil_it() -> None:
    """The first block says nothing about the others, which lie far from it."""
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(3000, 4)) + np.repeat([[0.0], [1e4], [-1e6]], 1000, axis=0)
    collected = Moments(4)
    for row in (rows[:1], rows[1:2], rows[2:1500], rows[1500:]):
        collected.add(row)
    assert_numpys(collected.statistics(), rows)


def test_the_divisor_is_one_less_than_the_count() -> None:
    found = statistics_of(np.array([[0.0], [2.0]]))
    assert found.mean.tolist() == [1]
    assert found.covariance.tolist() == [[2]]


def test_float32_features_are_summed_in_float64() -> None:
    """In float32 the digits of 20,000 features near 1000 would not do for their covariance."""
    generator = np.random.default_rng(0)
    rows = (1000 + 0.01 * generator.normal(size=(20_000, 3))).astype(np.float32)
    assert_numpys(statistics_of(rows), rows)
    naive = (rows.T @ rows - len(rows) * np.outer(rows.mean(0), rows.mean(0))) / (len(rows) - 1)
    assert np.abs(naive - np.cov(rows.astype(np.float64), rowvar=False)).max() > 1e-4


def test_tensors_and_arrays_give_the_same_and_are_left_as_they_were() -> None:
    rows = np.random.default_rng(0).normal(size=(10, 3))
    before = rows.copy()
    one, other = Moments(3), Moments(3)
    one.add(rows)
    other.add(torch.from_numpy(rows))
    assert torch.equal(one.statistics().covariance, other.statistics().covariance)
    assert np.array_equal(rows, before)


def test_the_covariance_is_symmetric_to_the_last_bit() -> None:
    found = statistics_of(np.random.default_rng(0).normal(size=(100, 37)))
    assert torch.equal(found.covariance, found.covariance.T)
    assert found.dimension == 37


def test_statistics_can_be_asked_for_along_the_way() -> None:
    rows = np.random.default_rng(0).normal(size=(9, 2))
    collected = Moments(2)
    collected.add(rows[:4])
    assert_numpys(collected.statistics(), rows[:4])
    collected.add(rows[4:])
    assert_numpys(collected.statistics(), rows)


def test_rows_of_a_file_are_read_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.random.default_rng(0).normal(size=(2 * BLOCK + 5, 3)).astype("<f4").tofile(tmp_path / "features.f32")
    rows = np.memmap(tmp_path / "features.f32", dtype="<f4", mode="r", shape=(2 * BLOCK + 5, 3))
    taken = []

    def double(part: np.ndarray) -> torch.Tensor:
        taken.append(len(part))
        return torch.from_numpy(np.array(part, dtype=np.float64))

    monkeypatch.setattr(moments, "double", double)
    assert_numpys(statistics_of(rows), np.array(rows))
    assert taken == [BLOCK, BLOCK, 5]


@pytest.mark.parametrize("count", [2, 5, 6, 7, 30])
def test_the_factor_is_known_where_rows_are_fewer_than_dimensions(count: int) -> None:
    found = statistics_of(np.random.default_rng(count).normal(size=(count, 6)))
    if count >= 6:
        assert found.factor is None
        return
    assert found.factor is not None
    assert found.factor.shape == (count, 6)
    assert torch.allclose(found.factor.T @ found.factor, found.covariance, atol=1e-12)


def test_features_that_are_not_finite_are_named_by_their_image_and_not_added() -> None:
    collected = Moments(2)
    collected.add(np.ones((15, 2)))
    bad = torch.zeros(4, 2)
    bad[2, 1] = torch.nan
    with pytest.raises(EngineError, match="features of image 17 are not finite"):
        collected.add(bad)
    assert collected.count == 15
    assert collected.statistics().mean.tolist() == [1, 1]


def test_features_of_a_file_that_are_not_finite_are_named_by_their_image() -> None:
    rows = np.zeros((BLOCK + 20, 2), np.float32)
    rows[BLOCK + 3, 0] = np.inf
    with pytest.raises(EngineError, match=f"features of image {BLOCK + 3} are not finite"):
        statistics_of(rows)


@pytest.mark.parametrize(("count", "number"), [(0, "no image"), (1, "one image")])
def test_fewer_than_two_images_are_refused(count: int, number: str) -> None:
    with pytest.raises(EngineError, match=f"statistics need at least two images; there is {number}"):
        statistics_of(np.ones((count, 3)))


def test_features_of_another_dimension_are_refused() -> None:
    with pytest.raises(EngineError, match=r"features of shape \(4, 3\); they must have the shape \(N, 2\)"):
        Moments(2).add(np.ones((4, 3)))
    with pytest.raises(EngineError, match=r"features of shape \(4,\)"):
        statistics_of(np.ones(4))
