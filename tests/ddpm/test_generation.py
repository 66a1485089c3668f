"""Sampling runs: their files, and images that are what their seed says."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ddpm import checkpoint
from ddpm.config import Config
from ddpm.configfiles import override
from ddpm.errors import EngineError
from ddpm.events import Denoising, Ended, Notice, SamplesWritten
from ddpm.generation import Generation
from ddpm.images import read_png_text
from ddpm.sampling import draw
from ddpm.unet import UNet
from ddpm.weights import load
from tests.ddpm.test_training import run, tiny


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("trained")
    run(tiny("training.steps=20", "training.checkpoint_every=100"), directory)
    return checkpoint.folder(directory, 20)


def network(folder: Path, config: Config) -> UNet:
    loaded = UNet(config.model, 1, 8)
    load(loaded, checkpoint.open_folder(folder), checkpoint.EMA)
    return loaded.eval()


def generate(folder: Path, directory: Path, *settings: str) -> list[object]:
    return list(Generation(override(tiny(), settings), folder, directory, device="cpu"))


@pytest.mark.parametrize("sampler", ["ddpm", "ddim"])
def test_an_image_is_its_seeds_at_any_batch_size(trained: Path, sampler: str) -> None:
    config = tiny(f"sampling.sampler={sampler}", "sampling.steps=20", "sampling.eta=0.5")
    net = network(trained, config)

    def images(numbers: range) -> torch.Tensor:
        *_, last = draw(net, config, numbers)
        return last.x_t

    together = images(range(7))
    for i in (0, 3, 6):
        assert torch.allclose(images(range(i, i + 1))[0], together[i], atol=1e-4)
    assert not torch.allclose(together[0], together[1], atol=1e-2)


def test_where_memory_runs_out_fewer_are_drawn_at_once_and_it_is_told(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ("sampling.count=8", "sampling.batch_size=8")
    generate(trained, tmp_path / "whole", *settings)
    forward = UNet.forward

    def tight(self: UNet, x: torch.Tensor, *more: torch.Tensor) -> torch.Tensor:
        if len(x) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(self, x, *more)

    monkeypatch.setattr(UNet, "forward", tight)
    events = generate(trained, tmp_path / "tight", *settings)
    notices = [e.text for e in events if isinstance(e, Notice)]
    assert notices == ["memory ran out: the network is asked about 2 images at once from here on"]
    for path in (tmp_path / "whole" / "images").iterdir():
        one, other = (np.asarray(Image.open(p)) for p in (path, tmp_path / "tight" / "images" / path.name))
        assert np.abs(one.astype(int) - other).max() <= 1


def test_a_sampling_run_writes_images_grid_and_frames(trained: Path, tmp_path: Path) -> None:
    events = generate(trained, tmp_path, "sampling.count=5", "sampling.batch_size=2")
    assert sorted(p.name for p in (tmp_path / "images").iterdir()) == [f"{i:06d}.png" for i in range(5)]
    assert events[-1] == Ended("finished", 20, 320)
    assert isinstance(events[-2], SamplesWritten)
    steps = [e for e in events if isinstance(e, Denoising)]
    assert [(e.index, e.total) for e in steps] == [(i, 9) for i in range(1, 10)]
    assert [e.done for e in steps] == [0, 0, 2, 2, 2, 4, 4, 4, 5]
    assert steps[0].x_t == "frames/0001-xt.png"
    assert all(e.x_t is None for e in steps[3:])  # frames are of the first batch
    for e in steps[:3]:
        assert (tmp_path / str(e.x_t)).exists()
        assert (tmp_path / str(e.x_0)).exists()


def test_files_carry_their_settings(trained: Path, tmp_path: Path) -> None:
    generate(trained, tmp_path, "sampling.seed=77")
    text = read_png_text(tmp_path / "images/000001.png")["Settings"]
    assert '"seed": 77' in text
    assert '"image": 1' in text
    assert "checkpoints/00000020" in text
    assert str(trained.parents[2]) not in text  # no path of this machine


def test_a_stopped_run_goes_on_after_its_images(trained: Path, tmp_path: Path) -> None:
    config = override(tiny(), ["sampling.count=5", "sampling.batch_size=2"])
    generation = Generation(config, trained, tmp_path / "parts", device="cpu")
    for event in generation:
        if isinstance(event, Denoising) and event.done == 2:
            generation.stop()
    assert isinstance(event, Ended)
    assert event.status == "stopped"
    marker = tmp_path / "parts/images/000000.png"
    before = marker.stat().st_mtime_ns
    events = generate(trained, tmp_path / "parts", "sampling.count=5", "sampling.batch_size=2")
    assert marker.stat().st_mtime_ns == before
    assert isinstance(events[-1], Ended)
    generate(trained, tmp_path / "whole", "sampling.count=5", "sampling.batch_size=5")
    for i in range(5):
        one, other = (
            np.asarray(Image.open(tmp_path / d / f"images/{i:06d}.png")).astype(int)
            for d in ("parts", "whole")
        )
        assert abs(one - other).max() <= 1  # at another batch size: the same to float rounding


def test_images_that_are_not_numbers_are_no_black_pictures(trained: Path, tmp_path: Path) -> None:
    steep = ["diffusion.beta_end=0.9", "diffusion.timesteps=1000", "sampling.steps=4", "sampling.clip=false"]
    with pytest.raises(EngineError, match="the images that dpmpp-2m drew in 4 steps are not finite numbers"):
        generate(trained, tmp_path, *steep, "sampling.sampler=dpmpp-2m", "sampling.eta=0")
    assert not list((tmp_path / "images").iterdir())


def test_fresh_noise_in_very_long_steps(trained: Path, tmp_path: Path) -> None:
    steep = ["diffusion.beta_end=0.3", "diffusion.timesteps=1000", "sampling.steps=4", "sampling.eta=1"]
    *_, end = generate(trained, tmp_path, *steep, "sampling.sampler=dpmpp-2m")
    assert isinstance(end, Ended)
