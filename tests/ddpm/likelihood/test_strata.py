"""Strata cover every timestep once, and what is drawn of them misses none in the mean."""

from __future__ import annotations

import pytest
import torch

from ddpm.likelihood.strata import drawn, edges

SIZES = [(2, 2), (10, 2), (10, 10), (100, 37), (1000, 100), (1000, 999), (1000, 1000), (4000, 64)]


@pytest.mark.parametrize(("length", "count"), SIZES)
def test_they_are_as_many_as_asked_for_and_widen_with_time(length: int, count: int) -> None:
    found = edges(length, count)
    widths = found.diff()
    assert found[0] == 0
    assert found[-1] == length
    assert len(widths) == count
    assert widths[0] == 1  # the term of t = 0 is of another kind
    assert int(widths.min()) >= 1
    assert bool((widths.diff() >= -1).all())  # rounding alone narrows one


@pytest.mark.parametrize(("length", "count"), [(10, 1), (10, 11), (10, 0)])
def test_no_strata_are_made_that_cannot_be(length: int, count: int) -> None:
    with pytest.raises(ValueError, match=f"{count} strata of {length}"):
        edges(length, count)


def test_each_image_has_a_timestep_of_each_stratum_whatever_others_there_are() -> None:
    found = edges(1000, 40)
    images = torch.arange(50)
    times = drawn(7, images, found)
    assert times.shape == (40, 50)
    assert bool((times >= found[:-1, None]).all())
    assert bool((times < found[1:, None]).all())
    assert torch.equal(drawn(7, images[13:14], found), times[:, 13:14])
    assert not torch.equal(drawn(8, images, found), times)


def test_terms_counted_by_the_width_of_their_stratum_have_the_whole_sum_as_their_mean() -> None:
    found = edges(200, 9)
    values = torch.rand(200, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    images = 20_000
    sums = (values[drawn(0, torch.arange(images), found)] * found.diff()[:, None]).sum(0)
    error = float(sums.std()) / images**0.5
    assert abs(float(sums.mean() - values.sum())) < 4 * error
    assert error < 0.02 * float(values.sum())
