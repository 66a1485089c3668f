"""Restoring runs: images in, images out, whatever their size, and what becomes of those that are none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ddpm import checkpoint
from ddpm.configfiles import override
from ddpm.errors import EngineError
from ddpm.events import Denoising, Ended, Event, Notice, Restored, SamplesWritten, Started
from ddpm.restoration.restoration import Restoration
from tests.ddpm.test_training import run, tiny


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("trained")
    run(tiny("training.steps=20", "training.checkpoint_every=100"), directory)
    return checkpoint.folder(directory, 20)


def engine(
    folder: Path, directory: Path, inputs: list[str], *settings: str, out: Path | None = None
) -> Restoration:
    config = override(tiny(), ["restoration.steps=3", *settings])
    directory.mkdir(exist_ok=True)
    return Restoration(config, folder, directory, inputs=inputs, data_root=directory, out=out, device="cpu")


def restore(
    folder: Path, directory: Path, inputs: list[str], *settings: str, out: Path | None = None
) -> list[Event]:
    return list(engine(folder, directory, inputs, *settings, out=out))


def lines(directory: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (directory / "restored.jsonl").read_text().splitlines()]


def picture(path: Path, height: int = 8, width: int = 8, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


TASKS = [
    ("denoise",),
    ("denoise", "restoration.sigma=0.2"),
    ("inpaint",),
    ("inpaint", "restoration.mask=random", "restoration.method=repaint"),
    ("super-resolution", "restoration.scale=4"),
    ("super-resolution", "restoration.filter=bicubic"),
    ("deblur", "restoration.sigma=0.02"),
    ("deblur", "restoration.kernel=uniform"),
    ("deblur", "restoration.kernel=anisotropic", "restoration.method=posterior"),
    ("compressed-sensing",),
]


@pytest.mark.parametrize("task", TASKS, ids=" ".join)
def test_each_task_from_clean_images_of_a_data_set(
    task: tuple[str, ...], trained: Path, tmp_path: Path
) -> None:
    settings = [f"restoration.task={task[0]}", *task[1:], "restoration.degrade=true", "restoration.count=3"]
    events = restore(trained, tmp_path, ["digits:train"], *settings)
    assert isinstance(events[0], Started)
    assert events[-1] == Ended("finished", 20, 320)
    assert isinstance(events[-2], SamplesWritten)
    last = events[-3]
    assert isinstance(last, Restored)
    assert (last.done, last.failed, last.count) == (3, 0, 3)
    assert last.psnr is not None
    assert last.input_psnr is not None
    assert last.ssim is None  # 8 pixels are smaller than its window
    steps = [event for event in events if isinstance(event, Denoising)]
    assert steps[-1].index == steps[-1].total
    for name in ("degraded", "restored", "truth"):
        assert (tmp_path / "frames" / f"{name}.png").exists()
    found = lines(tmp_path)
    assert [line["image"] for line in found] == [0, 1, 2]
    for line in found:
        with Image.open(tmp_path / "images" / str(line["output"])) as image:
            assert (image.size, image.mode) == ((8, 8), "L")


def test_degraded_inputs_keep_their_sizes_and_names(trained: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for name, size in {"small.png": (5, 3), "own.png": (8, 8), "sub/large.png": (21, 13)}.items():
        picture(folder / name, *size)
    out = tmp_path / "out"
    events = restore(trained, tmp_path / "run", [str(folder)], "restoration.sigma=0.1", out=out)
    assert events[-1] == Ended("finished", 20, 320)
    sizes = {p.relative_to(out).as_posix(): Image.open(p).size for p in out.rglob("*.png")}
    assert sizes == {"small.png": (3, 5), "own.png": (8, 8), "sub/large.png": (13, 21)}
    assert all("psnr" not in line for line in lines(tmp_path / "run"))


def test_enlarging_gives_images_of_the_larger_size(trained: Path, tmp_path: Path) -> None:
    source = picture(tmp_path / "a.png", 6, 7)
    settings = ("restoration.task=super-resolution", "restoration.scale=2")
    restore(trained, tmp_path / "run", [str(source)], *settings)
    with Image.open(tmp_path / "run" / "images" / "a.png") as image:
        assert image.size == (14, 12)


def test_noise_that_is_not_told_is_estimated_and_told(trained: Path, tmp_path: Path) -> None:
    clean = np.full((64, 64), 128.0)
    noisy = clean + np.random.default_rng(0).normal(0, 0.15 * 255, clean.shape)
    path = tmp_path / "n.png"
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path)
    restore(trained, tmp_path / "run", [str(path)])
    assert lines(tmp_path / "run")[0]["sigma"] == pytest.approx(0.15, rel=0.06)


def test_what_is_broken_is_named_and_the_rest_is_done(trained: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    picture(folder / "a.png")
    (folder / "b.png").write_text("no picture")
    picture(folder / "c.png")
    events = restore(trained, tmp_path / "run", [str(folder)], "restoration.sigma=0.1")
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert len(notices) == 1
    assert "b.png" in notices[0]
    assert isinstance(events[-3], Restored)
    assert (events[-3].done, events[-3].failed) == (2, 1)
    assert ["error" in line for line in lines(tmp_path / "run")].count(True) == 1


def test_nothing_but_broken_inputs_fails(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "b.png").write_text("no picture")
    with pytest.raises(EngineError, match=r"none of the 1 inputs could be restored: .*b\.png"):
        restore(trained, tmp_path / "run", [str(tmp_path / "b.png")])


def test_a_mask_of_another_size_is_told_of_each_image(trained: Path, tmp_path: Path) -> None:
    mask = np.zeros((8, 9), np.uint8)
    mask[2:4, 2:4] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    settings = ("restoration.task=inpaint", f"restoration.mask={tmp_path / 'mask.png'}")
    source = picture(tmp_path / "a.png")
    with pytest.raises(EngineError, match=r"a\.png has 8×8 pixels and the mask 9×8"):
        restore(trained, tmp_path / "run", [str(source)], *settings)


def test_pixels_that_are_seen_without_noise_stay_what_they_are(trained: Path, tmp_path: Path) -> None:
    mask = np.zeros((8, 8), np.uint8)
    mask[2:5, 2:5] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    source = picture(tmp_path / "a.png")
    settings = ("restoration.task=inpaint", f"restoration.mask={tmp_path / 'mask.png'}", "restoration.eta=0")
    restore(trained, tmp_path / "run", [str(source)], *settings, "restoration.method=repaint")
    with Image.open(source) as before, Image.open(tmp_path / "run" / "images" / "a.png") as after:
        assert (np.asarray(before)[mask == 0] == np.asarray(after)[mask == 0]).all()


def test_a_restoration_is_its_seeds_whatever_else_is_restored(trained: Path, tmp_path: Path) -> None:
    settings = ("restoration.degrade=true", "restoration.sigma=0.3")
    restore(trained, tmp_path / "a", ["digits:train"], *settings, "restoration.count=5")
    restore(
        trained,
        tmp_path / "b",
        ["digits:train"],
        *settings,
        "restoration.count=5",
        "restoration.batch_size=2",
    )
    restore(trained, tmp_path / "c", ["digits:train"], *settings, "restoration.count=5", "restoration.seed=1")
    for name in [str(line["output"]) for line in lines(tmp_path / "a")]:
        a, b, c = (np.asarray(Image.open(tmp_path / run / "images" / name)).astype(int) for run in "abc")
        assert abs(a - b).max() <= 1  # float rounding in another batch
        assert abs(a - c).max() > 1


def test_several_restorations_give_their_mean_and_spread(trained: Path, tmp_path: Path) -> None:
    settings = ("restoration.degrade=true", "restoration.task=inpaint", "restoration.count=2")
    events = restore(
        trained, tmp_path, ["digits:train"], *settings, "restoration.samples=3", "restoration.batch_size=2"
    )
    last = events[-3]
    assert isinstance(last, Restored)
    assert last.spread == "frames/spread.png"
    spread = np.asarray(Image.open(tmp_path / last.spread))
    hidden = spread[2:6, 2:6]
    assert hidden.mean() > 10
    assert spread[:8, :8].mean() < hidden.mean()


def test_a_stopped_restoration_goes_on_where_it_was(trained: Path, tmp_path: Path) -> None:
    settings = ("restoration.degrade=true", "restoration.count=5", "restoration.batch_size=2")
    restore(trained, tmp_path / "whole", ["digits:train"], *settings)
    first = engine(trained, tmp_path / "parts", ["digits:train"], *settings)
    events = []
    for event in first:
        events.append(event)
        if isinstance(event, Restored) and event.done == 2:
            first.stop()
    assert events[-1] == Ended("stopped", 20, 320)
    assert len(lines(tmp_path / "parts")) == 2
    rest = restore(trained, tmp_path / "parts", ["digits:train"], *settings)
    assert rest[-1] == Ended("finished", 20, 320)
    assert isinstance(rest[-3], Restored)
    assert rest[-3].degraded == "frames/degraded.png"
    assert lines(tmp_path / "parts") == lines(tmp_path / "whole")


def test_what_a_denoiser_cannot_restore_is_told_first(trained: Path, tmp_path: Path) -> None:
    settings = ("training.objective=noise2same", "restoration.task=deblur")
    with pytest.raises(
        EngineError, match=r"restoration\.task: this run learned to denoise \(noise2same\); deblur"
    ):
        restore(trained, tmp_path, ["digits:train"], *settings)


def test_a_colour_picture_is_none_for_a_grey_model(trained: Path, tmp_path: Path) -> None:
    pixels = torch.randint(0, 256, (8, 8, 3), dtype=torch.uint8).numpy()
    Image.fromarray(pixels).save(tmp_path / "c.png")
    with pytest.raises(EngineError, match=r"c\.png.*colour.*grey"):
        restore(trained, tmp_path / "run", [str(tmp_path / "c.png")])


def test_a_denoiser_degrades_with_its_own_noise_and_takes_one_step(tmp_path: Path) -> None:
    own = ("training.objective=supervised", "denoising.sigma=0.2", "denoising.dropped=0.3")
    run(tiny("training.steps=20", "training.checkpoint_every=100", *own), tmp_path / "trained")
    folder = checkpoint.folder(tmp_path / "trained", 20)
    settings = (*own, "restoration.degrade=true", "restoration.count=3")
    events = restore(folder, tmp_path / "run", ["digits:train"], *settings)
    assert events[-1] == Ended("finished", 20, 320)
    steps = [event for event in events if isinstance(event, Denoising)]
    assert [(step.index, step.total) for step in steps] == [(3, 3)]
    assert [line["sigma"] for line in lines(tmp_path / "run")] == [pytest.approx(0.2)] * 3
    degraded = np.asarray(Image.open(tmp_path / "run" / "frames" / "degraded.png"))
    truth = np.asarray(Image.open(tmp_path / "run" / "frames" / "truth.png"))
    assert degraded[truth > 250].mean() < 220  # some of the bright ones are dropped


def test_a_folder_that_cannot_be_written_is_told(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(EngineError, match=r"out/digits-train-000000\.png cannot be written: File exists"):
        restore(trained, tmp_path / "run", ["digits:train"], "restoration.count=1", out=tmp_path / "out")


def test_images_of_different_noise_do_not_depend_on_each_other(trained: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, sigma in (("a", 0.02), ("b", 0.3), ("c", 0.02)):
        noisy = 128 + rng.normal(0, sigma * 255, (8, 8))
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(tmp_path / f"{name}.png")
    files = [str(tmp_path / f"{name}.png") for name in "abc"]
    restore(trained, tmp_path / "all", files, "restoration.steps=10")
    restore(trained, tmp_path / "one", files[:1], "restoration.steps=10")
    alone, together = (
        np.asarray(Image.open(tmp_path / run / "images" / "a.png")).astype(int) for run in ("one", "all")
    )
    assert abs(alone - together).max() <= 1


def test_a_stop_before_the_first_image_is_a_stop(trained: Path, tmp_path: Path) -> None:
    asked = engine(trained, tmp_path, ["digits:train"], "restoration.count=2")
    asked.stop()
    assert list(asked)[-1] == Ended("stopped", 20, 320)
