"""Precision, recall, density and coverage against their definitions and on cases with known answers."""

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ddpm.errors import EngineError
from ddpm.evaluation import manifold as module
from ddpm.evaluation.manifold import Manifold, manifold


def by_definition(real: np.ndarray, fake: np.ndarray) -> Manifold:
    """One pair after the other, from differences."""

    def distance(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.square(a.astype(np.float64) - b.astype(np.float64)).sum())

    def radii(rows: np.ndarray, k: int) -> list[float]:
        others = [[distance(a, b) for j, b in enumerate(rows) if j != i] for i, a in enumerate(rows)]
        return [sorted(row)[k - 1] for row in others]

    def balls_around(rows: np.ndarray, k: int, points: np.ndarray) -> np.ndarray:
        """Which point (row) lies in which ball (column)."""
        around = list(zip(rows, radii(rows, k), strict=True))
        return np.array([[distance(point, row) <= radius for row, radius in around] for point in points])

    wide = balls_around(real, 5, fake)
    return Manifold(
        float(balls_around(real, 3, fake).any(1).mean()),
        float(balls_around(fake, 3, real).any(1).mean()),
        float(wide.sum(1).mean() / 5),
        float(wide.any(0).mean()),
    )


def approximately(m: Manifold) -> Manifold:
    """For ==, up to the rounding of a mean."""
    return Manifold(*(pytest.approx(x, rel=1e-12) for x in (m.precision, m.recall, m.density, m.coverage)))


@given(
    st.integers(0, 2**31), st.integers(6, 25), st.integers(6, 25), st.sampled_from([1, 3]), st.floats(0, 2)
)
@settings(max_examples=60, deadline=None)
def test_it_is_its_definition_in_blocks_of_any_size(
    seed: int, reals: int, fakes: int, dimension: int, shift: float
) -> None:
    generator = np.random.default_rng(seed)
    real, fake = generator.normal(size=(reals, dimension)), shift + generator.normal(size=(fakes, dimension))
    expected = by_definition(real, fake)
    for block in (4, 1000):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "BLOCK", block)
            assert manifold(real, fake) == approximately(expected)


@given(st.integers(0, 2**31), st.integers(6, 30), st.integers(6, 30))
@settings(max_examples=60, deadline=None)
def test_ties_and_copies_are_inside(seed: int, reals: int, fakes: int) -> None:
    """Points of a coarse grid: many are alike or at equal distances. Far from zero, in float32."""
    generator = np.random.default_rng(seed)
    real, fake = (
        (1e6 + generator.integers(0, 3, size=(count, 3)) / 4).astype(np.float32) for count in (reals, fakes)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", 7)
        assert manifold(real, fake) == approximately(by_definition(real, fake))


def test_float32_features_far_from_zero_lose_nothing() -> None:
    """|x|² + |y|² - 2xy in float32 would have no digit left of these distances."""
    generator = np.random.default_rng(0)
    real, fake = (5000 + generator.normal(size=(2, 60, 40))).astype(np.float32)
    assert manifold(real, fake) == approximately(by_definition(real, fake))


def test_it_does_not_see_rotation() -> None:
    generator = np.random.default_rng(0)
    real, fake = generator.normal(size=(2, 100, 8))
    turn = np.linalg.qr(generator.normal(size=(8, 8)))[0]
    assert manifold(real @ turn + 3, fake @ turn + 3) == manifold(real, fake)


def test_a_set_is_within_itself() -> None:
    """Each image lies in its own ball and in those of the k, on average, whose near neighbour it is."""
    images = np.random.default_rng(0).normal(size=(200, 12)).astype(np.float32)
    assert manifold(images, images) == Manifold(1, 1, pytest.approx(6 / 5), 1)


def test_sets_far_apart_share_nothing() -> None:
    images = np.random.default_rng(0).normal(size=(50, 4))
    assert manifold(images, images + 1000) == Manifold(0, 0, 0, 0)


def test_images_of_one_kind_are_precise_and_recall_that_kind_alone() -> None:
    """Four kinds of real images far apart, of which the fake ones know one."""
    generator = np.random.default_rng(0)
    centres = 1000 * np.eye(4)
    real = np.repeat(centres, 100, axis=0) + generator.random(size=(400, 4))
    fake = centres[0] + generator.random(size=(400, 4))
    found = manifold(real, fake)
    assert found.precision > 0.95
    assert 0.2 < found.recall <= 0.25
    assert 0.2 < found.coverage <= 0.25


def test_one_image_over_and_over_is_precise_but_recalls_and_covers_little() -> None:
    real = np.random.default_rng(0).normal(size=(100, 6))
    found = manifold(real, np.repeat(real[:1], 50, axis=0))
    assert found.precision == 1
    assert found.recall == 0.01  # balls of no width: the image itself
    assert 0.01 <= found.coverage < 0.2
    assert found.coverage == pytest.approx(found.density * 5 / 100)  # all of them lie in the same balls


def test_one_outlier_fools_precision_but_not_density() -> None:
    """Its ball is as wide as all the others together (Naeem et al. 2020, figure 1)."""
    generator = np.random.default_rng(0)
    real = np.concatenate([generator.normal(size=(99, 2)), [[100.0, 0.0]]])
    fake = np.array([50.0, 0.0]) + generator.normal(size=(100, 2))
    found = manifold(real, fake)
    assert found.precision == 1
    assert found.recall < 0.05
    assert found.density == pytest.approx(1 / 5)
    assert found.coverage == pytest.approx(1 / 100)


def test_real_images_reach_what_theory_expects_of_them() -> None:
    """Density 1, and coverage 1 - C(n-1, k) / C(2n-1, k) (Naeem et al. 2020, lemmas 1 and 2)."""
    generator = np.random.default_rng(0)
    found = [manifold(*generator.normal(size=(2, 400, 3))) for _ in range(10)]
    assert np.mean([m.density for m in found]) == pytest.approx(1, abs=0.03)
    expected = 1 - comb(399, 5) / comb(799, 5)
    assert np.mean([m.coverage for m in found]) == pytest.approx(expected, abs=0.01)


def test_memory_does_not_grow_with_the_number_of_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """No table of distances is larger than a block by a block."""
    largest = []
    compute = module._squared_distances

    def record(x: Tensor, y: Tensor, rounding: float) -> Tensor:
        found = compute(x, y, rounding)
        largest.append(tuple(found.shape))
        return found

    monkeypatch.setattr(module, "_squared_distances", record)
    monkeypatch.setattr(module, "BLOCK", 10)
    manifold(*np.random.default_rng(0).normal(size=(2, 35, 2)))
    assert max(largest) == (10, 10)
    assert len(largest) == 10 + 10 + 16  # distances within a set are computed once for both ways


@pytest.mark.parametrize(("reals", "fakes", "name"), [(5, 6, "real"), (6, 5, "generated")])
def test_too_few_images_are_refused(reals: int, fakes: int, name: str) -> None:
    with pytest.raises(EngineError, match=f"precision and recall need 6 {name} images; there are 5"):
        manifold(np.ones((reals, 2)), np.ones((fakes, 2)))


def test_bad_features_are_refused() -> None:
    good = np.ones((10, 2))
    bad = good.copy()
    bad[7, 0] = np.nan
    with pytest.raises(EngineError, match="features of image 7 are not finite"):
        manifold(good, bad)
    with pytest.raises(EngineError, match="dimension 2 cannot be compared with features of dimension 3"):
        manifold(good, np.ones((10, 3)))
