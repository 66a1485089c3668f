"""Augmentation that does not leak: what is done is what the network is told, and nothing is nothing."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ddpm import sizes, unet
from ddpm.augmentation import NUMBERS, Warp, drawn
from ddpm.config import Config
from ddpm.configfiles import ConfigError, override, resolve
from ddpm.feed import Feed
from tests.ddpm.test_training import blobs, run, tiny

CPU = torch.device("cpu")
SIDE = 64


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def nothing(count: int = 1) -> Warp:
    no, zero = torch.zeros(count, dtype=torch.bool), torch.zeros(count)
    return Warp(no, no, zero, zero, zero, zero, torch.zeros(count, 2))


def blob(x: float = 0.0, y: float = 0.0, wide: float = 0.2, high: float = 0.2) -> Tensor:
    """A Gaussian spot on black, (1,1,SIDE,SIDE), in coordinates from -1 to 1."""
    line = (torch.arange(SIDE) + 0.5) / SIDE * 2 - 1
    values = torch.exp(-(((line[None, :] - x) / wide) ** 2) / 2 - (((line[:, None] - y) / high) ** 2) / 2)
    return (2 * values - 1)[None, None]


def moments(image: Tensor) -> tuple[float, float, float, float, float]:
    """Centre (x, y) and covariances (xx, yy, xy) of what is bright."""
    line = (torch.arange(SIDE) + 0.5) / SIDE * 2 - 1
    weight = (image[0, 0] + 1).clamp(min=0)
    weight = weight / weight.sum()
    x, y = float((weight * line[None, :]).sum()), float((weight * line[:, None]).sum())
    dx, dy = line[None, :] - x, line[:, None] - y
    return x, y, *(float((weight * d).sum()) for d in (dx * dx, dy * dy, dx * dy))


def told(warp: Warp) -> list[float]:
    return [float(number) for number in warp.told[0]]


def test_an_image_as_it_is_has_all_zeros_and_stays_as_it_is() -> None:
    x = torch.rand(5, 3, 9, 9, generator=generator()) * 2 - 1
    assert not nothing(5).told.any()
    assert nothing(5).told.shape == (5, NUMBERS)
    assert torch.equal(nothing(5).apply(x), x)


@pytest.mark.parametrize("size", [8, 9])
def test_mirroring_moves_pixels_and_changes_none(size: int) -> None:
    x = torch.rand(4, 2, size, size, generator=generator()) * 2 - 1
    across, down = torch.tensor([True, False, True, False]), torch.tensor([False, True, True, False])
    warp = dataclasses.replace(nothing(4), mirrored=across, upended=down)
    wanted = [x[0].flip(2), x[1].flip(1), x[2].flip(1, 2), x[3]]
    assert torch.equal(warp.apply(x), torch.stack(wanted))
    assert warp.told[:, :2].tolist() == [[1, 0], [0, 1], [1, 1], [0, 0]]


def test_a_shift_by_whole_pixels_moves_them_to_the_right_and_down() -> None:
    shift = torch.tensor([[3 / SIDE, 5 / SIDE]])
    warp = dataclasses.replace(nothing(), shift=shift)
    moved = warp.apply(blob(0.1, -0.2))
    assert torch.allclose(moved[..., 5:, 3:], blob(0.1, -0.2)[..., :-5, :-3], atol=1e-4)
    assert told(warp)[7:] == pytest.approx(shift[0].tolist())


def test_a_scale_is_of_lengths() -> None:
    warp = dataclasses.replace(nothing(), scale=torch.tensor([0.5]))
    _, _, before, *_ = moments(blob())
    _, _, wide, high, _ = moments(warp.apply(blob()))
    assert wide / before == pytest.approx(2.0, rel=0.02)  # the square of 2^0.5
    assert high / before == pytest.approx(2.0, rel=0.02)
    assert told(warp)[2] == 0.5


def test_a_turn_goes_from_the_right_to_the_bottom() -> None:
    warp = dataclasses.replace(nothing(), turn=torch.tensor([math.pi / 6]))
    x, y, *_ = moments(warp.apply(blob(0.4, 0.0, 0.1, 0.1)))
    assert (x, y) == pytest.approx((0.4 * math.cos(math.pi / 6), 0.2), abs=0.01)
    assert told(warp)[3:5] == pytest.approx([math.cos(math.pi / 6) - 1, 0.5])


@pytest.mark.parametrize("degrees", [0, 45, 90, 150])
def test_a_stretch_is_along_its_direction(degrees: int) -> None:
    angle = math.radians(degrees)
    warp = dataclasses.replace(nothing(), stretch=torch.tensor([0.3]), direction=torch.tensor([angle]))
    _, _, before, *_ = moments(blob())
    _, _, xx, yy, xy = moments(warp.apply(blob()))
    along = math.cos(angle) ** 2 * xx + math.sin(angle) ** 2 * yy + math.sin(2 * angle) * xy
    assert along / before == pytest.approx(2**0.6, rel=0.03)
    assert (xx + yy - along) / before == pytest.approx(2**-0.6, rel=0.03)


def test_the_same_stretch_said_in_two_ways_is_told_alike() -> None:
    one = dataclasses.replace(nothing(), stretch=torch.tensor([0.3]), direction=torch.tensor([0.4]))
    other = dataclasses.replace(
        nothing(), stretch=torch.tensor([-0.3]), direction=torch.tensor([0.4 + math.pi / 2])
    )
    assert told(one) == pytest.approx(told(other), abs=1e-6)
    assert torch.allclose(one.apply(blob(0.1, 0.2)), other.apply(blob(0.1, 0.2)), atol=1e-4)


def test_turned_and_shifted_back_it_is_the_image_again() -> None:
    there = dataclasses.replace(nothing(), turn=torch.tensor([0.7]), scale=torch.tensor([0.2]))
    back = dataclasses.replace(nothing(), turn=torch.tensor([-0.7]), scale=torch.tensor([-0.2]))
    image = blob(0.1, -0.15)
    middle = slice(SIDE // 4, -SIDE // 4)  # at the rim, what came in from beyond it stays
    off = (back.apply(there.apply(image)) - image)[..., middle, middle]
    assert float(off.abs().max()) < 0.03


def test_pixels_stay_where_pixels_lie() -> None:
    x = (torch.rand(200, 1, 8, 8, generator=generator()) > 0.5).float() * 2 - 1
    moved = drawn(200, 1.0, generator()).apply(x)
    assert float(moved.min()) >= -1
    assert float(moved.max()) <= 1


def test_each_thing_is_done_as_often_as_it_should() -> None:
    chance, count = 0.3, 20_000
    warp = drawn(count, chance, generator())
    shares = [
        float((column != 0).float().mean())
        for column in (warp.mirrored, warp.upended, warp.scale, warp.turn, warp.stretch, warp.shift[:, 0])
    ]
    assert shares == pytest.approx([0.5, 0.15, 0.3, 0.3, 0.3, 0.3], abs=0.02)
    both = (warp.scale != 0) & (warp.turn != 0)
    assert float(both.float().mean()) == pytest.approx(0.09, abs=0.01)  # one by one, not all at once


def config_of(*settings: str) -> Config:
    return resolve("digits", ["data.augment=0.5", *settings])[0]


def test_a_step_is_a_function_of_the_images_seen() -> None:
    images = torch.randint(0, 256, (100, 1, 8, 8), dtype=torch.uint8, generator=generator())
    one, other = (Feed(images, config_of("training.batch_size=64"), CPU) for _ in range(2))
    other.batch(64)
    first, again = one.batch(0), other.batch(0)
    assert first.warp is not None
    assert again.warp is not None
    assert torch.equal(first.warp.told, again.warp.told)
    assert torch.equal(first.as_seen(first.images), again.as_seen(again.images))
    assert not torch.equal(first.as_seen(first.images), first.images)


def test_the_network_that_is_told_nothing_is_told_zeros() -> None:
    network = unet.make(config_of()).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    x, times = torch.randn(2, 1, 8, 8, generator=generator()), torch.tensor([3, 700])
    plain = network(x, times)
    assert torch.equal(plain, network(x, times, moves=torch.zeros(2, NUMBERS)))
    moved = network(x, times, moves=torch.ones(2, NUMBERS))
    assert float((plain - moved).detach().abs().max()) > 1e-3
    assert sum(p.numel() for p in network.parameters()) == sizes.parameters(config_of())
    assert unet.make(resolve("digits")[0]).augmentation is None


def test_a_training_with_it_resumes_exactly_also_with_classes_and_parts(tmp_path: Path) -> None:
    settings = (
        "data.augment=0.4",
        "data.flip=false",
        "model.classes=10",
        "training.accumulation=2",
        "training.steps=8",
    )
    run(tiny(*settings, "training.checkpoint_every=4"), tmp_path / "whole")
    run(tiny(*settings, "training.checkpoint_every=4", "training.steps=4"), tmp_path / "parts")
    run(tiny(*settings, "training.checkpoint_every=4"), tmp_path / "parts")
    assert blobs(tmp_path / "whole", 8) == blobs(tmp_path / "parts", 8)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["data.augment=1.5"], r"data\.augment: '1.5' is not a number, at least 0, at most 1"),
        (["data.flip=true"], r"data\.flip: data\.augment does so already, and tells the network"),
        (["data.crop=2"], r"data\.crop: data\.augment does so already"),
        (["training.objective=supervised"], r"data\.augment: a network that learns to denoise"),
    ],
)
def test_what_does_not_go_together_is_refused_at_its_field(settings: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        override(config_of(), settings)
