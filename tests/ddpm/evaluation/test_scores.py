"""All scores of one pass over the features."""

import json

import numpy as np
import pytest

from ddpm.errors import EngineError
from ddpm.evaluation import scores
from ddpm.evaluation.frechet import frechet_distance
from ddpm.evaluation.kid import kid
from ddpm.evaluation.manifold import manifold
from ddpm.evaluation.moments import statistics_of
from ddpm.evaluation.scores import Scores, between, score
from ddpm.events import Evaluated


def features(seed: int, count: int = 150, dimension: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)


def test_they_are_those_of_their_own_functions() -> None:
    real, fake = features(0), features(1) + 0.3
    expected_kid, expected = kid(fake, real), manifold(real, fake)
    assert expected_kid is not None
    found = score(fake, statistics_of(real), real)
    assert found == Scores(
        frechet_distance(statistics_of(fake), statistics_of(real)),
        expected_kid.value,
        expected_kid.error,
        expected.precision,
        expected.recall,
        expected.density,
        expected.coverage,
    )


def test_fid_is_against_the_statistics_and_the_companions_against_the_features() -> None:
    """The statistics are of all images, the features of some of them."""
    everything, fake = features(0, 500), features(1)
    found = score(fake, statistics_of(everything), everything[:200])
    assert found.fid == frechet_distance(statistics_of(fake), statistics_of(everything))
    assert found.density == manifold(everything[:200], fake).density


def test_statistics_that_are_known_already_are_not_computed_again() -> None:
    real, fake = features(0), features(1)
    statistics = statistics_of(real)
    assert between(statistics_of(fake), fake, statistics, real) == score(fake, statistics, real)
    assert between(statistics_of(fake), None, statistics, real) == score(fake, statistics, None)


def test_without_features_of_the_reference_there_is_fid_alone() -> None:
    found = score(features(1), statistics_of(features(0)), None)
    assert found.fid > 0
    assert {key for key, value in found.to_dict().items() if value is not None} == {"fid"}


@pytest.mark.parametrize(("count", "known"), [(2, 1), (5, 1), (6, 5), (99, 5), (100, 7)])
def test_few_images_have_the_scores_that_say_something(count: int, known: int) -> None:
    found = score(features(1, count), statistics_of(features(0)), features(0)).to_dict()
    assert sum(value is not None for value in found.values()) == known


def test_more_images_than_the_subset_are_used_for_fid_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "SUBSET", 120)
    real, fake = features(0, 400), features(1, 300)
    some_real, some_fake = scores.subset(real), scores.subset(fake)
    found = score(fake, statistics_of(real), real)
    assert found.fid == frechet_distance(statistics_of(fake), statistics_of(real))
    expected = kid(some_fake, some_real)
    assert expected is not None
    assert (found.kid, found.kid_error) == (expected.value, expected.error)
    assert found.recall == manifold(some_real, some_fake).recall


def test_the_subset_is_from_everywhere_and_always_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows may be sorted by class."""
    monkeypatch.setattr(scores, "SUBSET", 100)
    rows = np.arange(1000.0)[:, None]
    chosen = scores.subset(rows)[:, 0]
    assert len(set(chosen)) == 100
    assert np.histogram(chosen, bins=5, range=(0, 1000))[0].min() >= 10
    assert np.array_equal(scores.subset(rows)[:, 0], chosen)
    assert np.array_equal(scores.chosen(1000), chosen)
    assert np.array_equal(scores.subset(rows[:100]), rows[:100])
    assert np.array_equal(scores.chosen(100), np.arange(100))


def test_they_are_plain_data_with_the_names_of_the_event() -> None:
    found = score(features(1), statistics_of(features(0)), features(0))
    assert json.loads(json.dumps(found.to_dict())) == found.to_dict()
    assert set(found.to_dict()) <= set(Evaluated.__slots__)
    assert json.loads(json.dumps(scores.companions())) == {"kid_block": 1000, "neighbours": [3, 5]}


def test_bad_features_are_refused() -> None:
    reference = statistics_of(features(0))
    bad = features(1)
    bad[17, 3] = np.nan
    with pytest.raises(EngineError, match="features of image 17 are not finite"):
        score(bad, reference, features(0))
    with pytest.raises(EngineError, match="at least two images; there is one image"):
        score(features(1, 1), reference, features(0))
    with pytest.raises(EngineError, match="dimension 4 cannot be compared with features of dimension 6"):
        score(features(1, dimension=4), reference, features(0))
    with pytest.raises(EngineError, match="dimension 6 cannot be compared with features of dimension 5"):
        score(features(1), reference, features(0, 5, dimension=5))
