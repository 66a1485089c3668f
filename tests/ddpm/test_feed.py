"""What a training step sees: a pure function of the images seen, mirrored and shifted as told."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ddpm.config import Config
from ddpm.configfiles import ConfigError, resolve
from ddpm.feed import Batch, Feed

CPU = torch.device("cpu")


def config_of(*settings: str) -> Config:
    return resolve("digits", ["training.batch_size=64", *settings])[0]


def images(count: int = 100) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(1, 256, (count, 1, 8, 8), dtype=torch.uint8, generator=generator)


def seen(batch: Batch) -> Tensor:
    return batch.as_seen(batch.images)


@pytest.mark.parametrize("settings", [(), ("data.flip=true",), ("data.crop=2", "data.flip=true")])
def test_a_batch_is_a_function_of_the_images_seen(settings: tuple[str, ...]) -> None:
    one, other = (Feed(images(), config_of(*settings), CPU) for _ in range(2))
    for start in (0, 64, 128):
        other.batch(start + 64)  # what was asked before is of no account
        assert torch.equal(seen(one.batch(start)), seen(other.batch(start)))
    assert not torch.equal(seen(one.batch(0)), seen(one.batch(64)))


def test_a_shift_is_a_crop_of_the_image_with_a_black_frame() -> None:
    batch = Feed(images(), config_of("data.crop=3"), CPU).batch(0)
    assert batch.shifts is not None
    framed = F.pad(batch.images, (3, 3, 3, 3), value=-1.0)
    for image, (down, right), whole in zip(seen(batch), batch.shifts.tolist(), framed, strict=True):
        assert torch.equal(image, whole[:, 3 - down : 11 - down, 3 - right : 11 - right])
    assert {int(s) for s in batch.shifts.flatten()} == set(range(-3, 4))


def test_all_that_is_made_of_an_image_moves_alike() -> None:
    batch = Feed(images(), config_of("data.crop=2", "data.flip=true"), CPU).batch(0)
    marks = torch.zeros_like(batch.images)
    marks[:, :, 4, 5] = 1
    moved = batch.as_seen(marks) == 1
    assert torch.equal(batch.as_seen(batch.images)[moved], batch.images[marks == 1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["data.crop=8"], "data.crop: a shift by 8 of 8 pixels may leave nothing"),
        (["data.crop=2", "training.objective=supervised"], "data.crop: a network that learns to denoise"),
    ],
)
def test_what_cannot_be_shifted_is_refused(settings: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config_of(*settings)
    assert message in str(caught.value)
