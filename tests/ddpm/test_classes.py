"""Classes: told while training, drawn in turn, guided by, and shown a row each."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from ddpm import data, sizes, unet
from ddpm.config import Config
from ddpm.configfiles import ConfigError, override, resolve
from ddpm.errors import EngineError
from ddpm.feed import Feed
from ddpm.grids import by_class, shown
from ddpm.sampling import NetworkDenoiser, draw, labels_of
from tests.ddpm.test_training import blobs, run, tiny

CPU = torch.device("cpu")


def config_of(*settings: str) -> Config:
    return resolve("digits", ["model.classes=10", *settings])[0]


class Knows(torch.nn.Module):
    """Says a number for each class, and 0 where none is told."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.asked = 0

    def forward(self, x: Tensor, times: Tensor, labels: Tensor | None = None) -> Tensor:
        self.asked += 1
        told = torch.zeros(len(x)) if labels is None else 1.0 + labels
        return self.weight * told.view(-1, 1, 1, 1) * torch.ones_like(x)


def test_a_step_sees_the_labels_of_its_images_and_some_are_hidden() -> None:
    config = config_of("training.batch_size=400", "training.label_dropout=0.25")
    images = data.load(config.data, Path())
    assert images.labels is not None
    batch = Feed(images.images, config, CPU, images.labels).batch(0)
    assert batch.labels is not None
    hidden = batch.labels == 10
    assert torch.equal(batch.labels[~hidden], images.labels[batch.numbers][~hidden])
    assert 60 <= int(hidden.sum()) <= 140
    plain = resolve("digits", ["training.batch_size=400"])[0]
    other = Feed(images.images, plain, CPU, images.labels).batch(0)
    assert other.labels is None
    assert torch.equal(other.numbers, batch.numbers)


def test_a_network_without_a_label_is_that_of_the_hidden_class() -> None:
    config = config_of("model.dropout=0")
    network = unet.make(config)
    assert sum(p.numel() for p in network.parameters()) == sizes.parameters(config)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    x, times = torch.randn(3, 1, 8, 8), torch.tensor([0, 50, 99])
    none = network(x, times)
    assert torch.allclose(none, network(x, times, torch.tensor([10, 10, 10])))
    told = network(x, times, torch.tensor([1, 10, 2]))
    assert not torch.allclose(told[0], none[0])
    assert torch.allclose(told[1], none[1], atol=1e-6)


def test_images_are_of_each_class_in_turn_whatever_their_batch() -> None:
    config = config_of()
    found = labels_of(config, torch.arange(7, 13))
    assert found is not None
    assert found.tolist() == [7, 8, 9, 0, 1, 2]
    chosen = labels_of(config_of("sampling.labels=3,7"), torch.arange(3, 6))
    assert chosen is not None
    assert chosen.tolist() == [7, 3, 7]
    assert labels_of(resolve("digits")[0], torch.arange(3)) is None


@pytest.mark.parametrize("scale", [0.0, 1.0, 3.0])
def test_guidance_goes_on_from_no_class_through_the_class(scale: float) -> None:
    """Ho & Salimans 2022: none + scale · (class - none); at 1 the class alone, for one evaluation."""
    config = config_of(f"sampling.guidance={scale}", "diffusion.prediction=x0")
    network = Knows()
    denoise = NetworkDenoiser(network, config, labels=torch.tensor([2, 5]), clip=False)
    found = denoise(torch.zeros(2, 1, 8, 8), 30).x_0
    assert found[:, 0, 0, 0].tolist() == pytest.approx([scale * 3, scale * 6])
    assert denoise.evaluations == network.asked == (1 if scale == 1 else 2)


def test_guidance_acts_in_its_interval_alone() -> None:
    config = config_of(
        "sampling.guidance=3", "sampling.guidance_from=0.25", "sampling.guidance_to=0.5",
        "diffusion.prediction=x0", "diffusion.timesteps=101", "sampling.steps=5",
    )  # fmt: skip
    denoise = NetworkDenoiser(Knows(), config, labels=torch.tensor([0]), clip=False)
    said = [float(denoise(torch.zeros(1, 1, 8, 8), t).x_0.mean()) for t in (0, 24, 25, 50, 51, 100)]
    assert said == pytest.approx([1, 1, 3, 3, 1, 1])
    assert config.sampling.evaluations(101) == 10  # at most


def test_a_guided_image_is_drawn() -> None:
    network = Knows()
    config = config_of("sampling.guidance=2", "sampling.steps=4", "sampling.sampler=heun")
    *_, last = draw(network, config, range(3))
    assert last.x_t.isfinite().all()
    assert network.asked == config.sampling.evaluations(config.diffusion.timesteps) == 14


def test_a_grid_has_a_row_for_each_class() -> None:
    pixels = torch.arange(23, dtype=torch.uint8).view(-1, 1, 1, 1)
    sheet, columns = by_class(pixels, config_of("sampling.labels=4,1,9"))
    assert columns == 8
    assert sheet.flatten().tolist() == [*range(0, 22, 3), *range(1, 23, 3), *range(2, 23, 3), 0]
    assert by_class(pixels, resolve("digits")[0]) == (pixels, None)


@pytest.mark.parametrize(
    ("settings", "count", "images"),
    [([], 64, 64), ([], 65, 60), ([], 7, 7), (["sampling.labels=4,1,9"], 100, 63)],
)
def test_of_more_images_a_grid_shows_whole_rows(settings: list[str], count: int, images: int) -> None:
    assert shown(config_of(*settings), count) == images
    assert shown(resolve("digits")[0], count) == min(count, 64)


def test_a_training_with_classes_resumes_to_the_byte_and_learns_them(tmp_path: Path) -> None:
    config = tiny("model.classes=10", "training.steps=4", "training.checkpoint_every=2")
    run(config, tmp_path / "whole")
    run(override(config, ["training.steps=2"]), tmp_path / "parts")
    run(config, tmp_path / "parts")
    assert blobs(tmp_path / "whole", 4) == blobs(tmp_path / "parts", 4)
    assert (tmp_path / "whole/samples/00000004.png").exists()


def test_data_without_such_classes_is_refused(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    for kind in ("a", "b"):
        (pictures / kind).mkdir(parents=True)
        from PIL import Image

        for i in range(8):
            Image.new("L", (8, 8), 20 * i).save(pictures / kind / f"{i}.png")
    folder = ["data.dataset=folder", f"data.root={pictures}", "data.image_size=8", "data.channels=1"]
    with pytest.raises(EngineError, match=r"model.classes: it is 3, and the data has 2 classes"):
        run(tiny(*folder, "model.classes=3"), pictures)
    for i in range(8):
        (pictures / "b" / f"{i}.png").rename(pictures / f"{i}.png")
        (pictures / "a" / f"{i}.png").unlink()
    with pytest.raises(EngineError, match=r"model.classes: it is 2, and the data has none"):
        run(tiny(*folder, "model.classes=2"), pictures)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["model.classes=7"], "model.classes: digits has 10 classes, not 7"),
        (["model.classes=0", "sampling.guidance=2"], "sampling.guidance: 2 needs a network that is told"),
        (
            ["sampling.guidance=2", "training.label_dropout=0"],
            "sampling.guidance: 2 needs a network that knows",
        ),
        (["sampling.labels=3,10"], "sampling.labels: there is no class 10; there are 0 to 9"),
        (["model.classes=0", "sampling.labels=1"], "is told of no classes (model.classes is 0)"),
        (["sampling.guidance_from=0.7", "sampling.guidance_to=0.2"], "guidance_from: 0.7 is above"),
        (["training.objective=supervised"], "model.classes: a network that learns to denoise"),
    ],
)
def test_what_does_not_go_together_is_refused_at_its_field(settings: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config_of(*settings)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
