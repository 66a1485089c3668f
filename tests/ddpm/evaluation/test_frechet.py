"""The Fréchet distance: closed forms, invariances, and the ways in which others got it wrong."""

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import ddpm.evaluation
from ddpm.errors import EngineError
from ddpm.evaluation.frechet import frechet_distance
from ddpm.evaluation.moments import Statistics, statistics_of

seeds = st.integers(0, 2**31)


def gaussian(mean: Tensor, covariance: Tensor) -> Statistics:
    return Statistics(mean.double(), covariance.double(), 1000)


def draw(generator: np.random.Generator, count: int, dimension: int) -> np.ndarray:
    """Rows like a ReLU layer's: correlated, of one sign, many of them zero."""
    mixing = generator.normal(size=(dimension, dimension)) / dimension**0.5
    return np.maximum(generator.normal(size=(count, dimension)) @ mixing + 0.2, 0)


def statistics(seed: int, count: int = 200, dimension: int = 8) -> Statistics:
    return statistics_of(draw(np.random.default_rng(seed), count, dimension))


def rotation(seed: int, dimension: int) -> Tensor:
    return torch.from_numpy(np.linalg.qr(np.random.default_rng(seed).normal(size=(dimension, dimension)))[0])


def moved(s: Statistics, turn: Tensor, shift: float = 0, scale: float = 1) -> Statistics:
    """The statistics of turned, scaled and shifted features."""
    factor = None if s.factor is None else scale * s.factor @ turn.T
    covariance = scale**2 * turn @ s.covariance @ turn.T
    return Statistics(scale * turn @ s.mean + shift, (covariance + covariance.T) / 2, s.count, factor)


@given(seeds, st.sampled_from([3, 8, 9, 200]))
def test_nothing_is_at_distance_zero_from_itself(seed: int, count: int) -> None:
    s = statistics(seed, count)
    assert 0 <= frechet_distance(s, s) <= 1e-12 * (1 + s.covariance.trace().item())


def test_in_one_dimension_it_is_the_distance_of_means_and_deviations() -> None:
    a, b = (gaussian(torch.tensor([m]), torch.tensor([[s**2]])) for m, s in ((1.0, 2.0), (4.0, 0.5)))
    assert frechet_distance(a, b) == pytest.approx((1 - 4) ** 2 + (2 - 0.5) ** 2, rel=1e-14)


@given(seeds)
def test_gaussians_with_the_same_axes_have_a_closed_form(seed: int) -> None:
    generator = np.random.default_rng(seed)
    means, deviations = (
        torch.from_numpy(x) for x in (generator.normal(size=(2, 6)), generator.random((2, 6)))
    )
    turn = rotation(seed, 6)
    a, b = (moved(gaussian(m, torch.diag(d**2)), turn) for m, d in zip(means, deviations, strict=True))
    expected = (means[0] - means[1]).square().sum() + (deviations[0] - deviations[1]).square().sum()
    assert frechet_distance(a, b) == pytest.approx(expected.item(), rel=1e-10)


@given(seeds)
def test_of_two_by_two_the_root_has_a_closed_form(seed: int) -> None:
    """tr √(AB) = √(tr AB + 2 √det AB) also where A and B do not commute, so that AB is not symmetric."""
    generator = np.random.default_rng(seed)
    roots = torch.from_numpy(generator.normal(size=(2, 2, 2)))
    first, second = (root @ root.T + 0.01 * torch.eye(2) for root in roots)
    product = first @ second
    trace = (product.trace() + 2 * product.det().sqrt()).sqrt()
    expected = first.trace() + second.trace() - 2 * trace
    found = frechet_distance(gaussian(torch.zeros(2), first), gaussian(torch.zeros(2), second))
    assert found == pytest.approx(expected.item(), rel=1e-9, abs=1e-12)


@given(seeds, st.floats(0.1, 10), st.floats(-10, 10))
def test_scaling_and_shifting_have_closed_forms(seed: int, scale: float, shift: float) -> None:
    s = statistics(seed)
    other = Statistics(s.mean + shift, scale**2 * s.covariance, s.count)
    expected = (scale - 1) ** 2 * s.covariance.trace().item() + 8 * shift**2
    assert frechet_distance(s, other) == pytest.approx(expected, rel=1e-9, abs=1e-11)


@given(seeds, st.sampled_from([5, 200]), st.sampled_from([5, 200]))
def test_it_is_symmetric_and_does_not_see_rotation(seed: int, count: int, other_count: int) -> None:
    a, b = statistics(seed, count), statistics(seed + 1, other_count)
    turn = rotation(seed, 8)
    distance = frechet_distance(a, b)
    assert frechet_distance(b, a) == pytest.approx(distance, rel=1e-8)
    assert frechet_distance(moved(a, turn, 3.0), moved(b, turn, 3.0)) == pytest.approx(distance, rel=1e-7)


@given(seeds)
def test_its_root_obeys_the_triangle_inequality(seed: int) -> None:
    a, b, c = (statistics(seed + i) for i in range(3))
    assert (
        frechet_distance(a, c) ** 0.5 <= frechet_distance(a, b) ** 0.5 + frechet_distance(b, c) ** 0.5 + 1e-9
    )


@given(seeds)
def test_it_agrees_with_the_root_of_the_matrix(seed: int) -> None:
    """scipy.linalg.sqrtm, as pytorch-fid computes it, where the covariances are well-conditioned."""
    a, b = statistics(seed, 500, 12), statistics(seed + 1, 500, 12)
    root = scipy.linalg.sqrtm((a.covariance @ b.covariance).numpy())
    expected = (a.mean - b.mean).square().sum() + a.covariance.trace() + b.covariance.trace()
    assert frechet_distance(a, b) == pytest.approx(expected.item() - 2 * np.trace(root).real, rel=1e-9)


@given(seeds, st.integers(2, 11), st.integers(2, 60))
def test_fewer_images_than_dimensions_go_the_same_way_by_the_nuclear_norm(
    seed: int, count: int, other_count: int
) -> None:
    """With one factor, with both (where both are few), and by eigenvalues alone."""
    a, b = statistics(seed, count, 12), statistics(seed + 1, other_count, 12)
    assert a.factor is not None
    by_eigenvalues = frechet_distance(replace(a, factor=None), replace(b, factor=None))
    for x, y in ((a, b), (b, a), (a, replace(b, factor=None)), (replace(b, factor=None), a)):
        assert frechet_distance(x, y) == pytest.approx(by_eigenvalues, rel=1e-6)


@pytest.mark.parametrize("ranks", [(20, 20), (20, 60), (60, 20)])
def test_clamped_eigenvalues_do_not_inflate_what_has_short_rank(ranks: tuple[int, int]) -> None:
    """Eigenvalues that are 0 come out as ±1e-17, whose roots add up: of absolute values to twice as much."""
    spread = torch.linspace(1, 3, 60, dtype=torch.float64)
    one, other = (torch.where(torch.arange(60) < rank, spread, 0) for rank in ranks)
    one = one.flip(0)  # where both ranks are short the Gaussians share nothing
    turn = rotation(0, 60)
    a, b = (moved(gaussian(torch.zeros(60), torch.diag(values)), turn) for values in (one, other))
    expected = (one.sqrt() - other.sqrt()).square().sum().item()
    values, vectors = torch.linalg.eigh(a.covariance)
    root = values.abs().sqrt()[:, None] * vectors.T
    trace = torch.linalg.eigvalsh(root @ b.covariance @ root.T).abs().sqrt().sum()
    by_absolute_values = a.covariance.trace() + b.covariance.trace() - 2 * trace
    missing = expected - frechet_distance(a, b)
    assert 0 <= missing < 1e-5
    assert missing < 0.7 * (expected - by_absolute_values.item())


def test_nothing_is_added_to_the_diagonals() -> None:
    """Small features have a small distance, in proportion: 1e-6 on the diagonal would be all there is."""
    a, b = statistics(0), statistics(1)
    still = torch.eye(8, dtype=torch.float64)
    small = frechet_distance(moved(a, still, scale=1e-4), moved(b, still, scale=1e-4))
    assert small == pytest.approx(1e-8 * frechet_distance(a, b), rel=1e-9)


def test_features_that_never_change_have_a_distance() -> None:
    """Singular covariances, on which a root of the product fails: images of one colour are no error."""
    a, b = (statistics_of(np.full((count, 4), value)) for count, value in ((10, 1.0), (3, 2.0)))
    assert frechet_distance(a, b) == pytest.approx(4)
    spread = statistics(0, dimension=4)
    expected = (a.mean - spread.mean).square().sum() + spread.covariance.trace()
    assert frechet_distance(a, spread) == pytest.approx(expected.item())


def test_few_images_have_a_larger_distance_than_many() -> None:
    """FID is biased upward: the number of images is part of what it means."""
    generator = np.random.default_rng(0)
    images = draw(generator, 20_000, 16)
    reference = statistics_of(images)

    def mean_distance(count: int) -> float:
        draws = [statistics_of(generator.choice(images, count)) for _ in range(10)]
        return float(np.mean([frechet_distance(s, reference) for s in draws]))

    found = [mean_distance(count) for count in (50, 200, 800)]
    assert found[0] > 2 * found[1] > 4 * found[2] > 0


def test_covariances_kept_in_float32_give_nearly_the_same() -> None:
    """As statistics files keep them: the distance is computed in float64 from rounded numbers."""
    a, b = statistics(0, 2000, 64), statistics(1, 2000, 64)
    rounded = replace(a, mean=a.mean.float().double(), covariance=a.covariance.float().double())
    assert frechet_distance(rounded, b) == pytest.approx(frechet_distance(a, b), rel=1e-6)


def test_other_dimensions_are_refused() -> None:
    with pytest.raises(EngineError, match="dimension 4 cannot be compared with features of dimension 8"):
        frechet_distance(statistics(0, dimension=4), statistics(0))


@pytest.mark.parametrize("part", ["mean", "covariance"])
def test_statistics_that_are_not_finite_are_refused(part: str) -> None:
    good = statistics(0)
    bad = replace(good, **{part: torch.full_like(getattr(good, part), torch.nan)})
    for pair in ((good, bad), (bad, good)):
        with pytest.raises(EngineError, match="the statistics are not finite"):
            frechet_distance(*pair)


def test_evaluation_does_not_need_scipy() -> None:
    """Whose sqrtm was wrong in some versions and lost its arguments in others."""
    for path in Path(ddpm.evaluation.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.partition(".")[0] == "scipy"], path
