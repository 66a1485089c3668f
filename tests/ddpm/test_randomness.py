"""Philox against its published vectors, noise against its distribution and its address."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ddpm.randomness import DataOrder, derive, normal, philox


# From the Random123 distribution's kat_vectors: philox4x32 with 10 rounds.
@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_published_words(
    counter: tuple[int, ...], key: tuple[int, int], expected: tuple[int, ...]
) -> None:
    words = philox(tuple(torch.tensor([c]) for c in counter), key)  # type: ignore[arg-type]
    assert tuple(w.item() for w in words) == expected


def test_noise_is_standard_normal_and_uncorrelated() -> None:
    noise = normal(7, torch.arange(40), 3, (1, 50, 50))
    assert stats.kstest(noise.flatten().numpy(), "norm").pvalue > 1e-3
    other = normal(7, torch.arange(40), 4, (1, 50, 50))
    assert abs((noise * other).mean().item()) < 0.015
    assert abs((noise[:-1] * noise[1:]).mean().item()) < 0.015


@settings(max_examples=30)
@given(st.integers(0, 2**63 - 1), st.integers(0, 2**32 - 1), st.integers(0, 1000), st.integers(1, 9))
def test_noise_of_an_image_does_not_depend_on_its_neighbours(
    seed: int, image: int, draw: int, side: int
) -> None:
    alone = normal(seed, torch.tensor([image]), draw, (1, side, side))
    together = normal(seed, torch.tensor([5, image, 2**32 - 1]), draw, (1, side, side))
    assert torch.equal(alone[0], together[1])
    assert alone.isfinite().all()
    assert not torch.equal(alone, normal(seed ^ 1, torch.tensor([image]), draw, (1, side, side)))


@given(st.integers(1, 20), st.integers(0, 100), st.lists(st.integers(1, 13), max_size=6))
def test_data_order_is_the_same_however_it_is_cut(size: int, start: int, counts: list[int]) -> None:
    whole = DataOrder(size, 3).batch(start, sum(counts)) if counts else torch.empty(0)
    order, position, parts = DataOrder(size, 3), start, []
    for count in counts:
        parts.append(order.batch(position, count))
        position += count
    assert torch.equal(torch.cat(parts) if parts else torch.empty(0), whole)


def test_every_epoch_shows_every_image_once_in_another_order() -> None:
    order = DataOrder(50, 0)
    first, second = order.batch(0, 50), order.batch(50, 50)
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(50))
    assert not torch.equal(first, second)
    assert not torch.equal(first, DataOrder(50, 1).batch(0, 50))


def test_derived_seeds_differ_by_purpose_and_fit_torch() -> None:
    seeds = {derive(0, "step", i) for i in range(1000)} | {derive(0, "dropout", i) for i in range(1000)}
    assert len(seeds) == 2000
    assert all(0 <= s < 2**63 for s in seeds)
