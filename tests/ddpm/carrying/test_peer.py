"""Against the real package: same input, same weights, same output, both ways; the same forward process."""

from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn

from ddpm import configfiles, schedules
from ddpm.carrying import peerfolder
from ddpm.config import Config
from ddpm.unet import sinusoids
from tests.ddpm.carrying.folders import edit, exported, imported, tiny

pytestmark = pytest.mark.peers

PRESETS = [
    "digits",
    "mnist",
    "fashion-mnist",
    "cifar10-small",
    pytest.param("cifar10", marks=pytest.mark.slow),
]
ODD = [
    (),  # one channel
    ("data.channels=3", "model.dropout=0.25"),
    ("data.image_size=16", "model.multipliers=1,2,3", "model.attention=16,8,4"),
    ("model.attention=", "model.channels=24"),
    ("model.channels=16", "model.attention=8,4", "model.head_channels=8"),
    ("model.channels=32", "model.multipliers=1", "model.head_channels=32"),
    ("model.classes=10",),
    ("diffusion.variance=learned_range",),
    ("data.augment=0.12",),
    ("model.multipliers=1", "model.blocks=3"),
    ("model.groups=2", "model.channels=16"),
]


def same(ours: nn.Module, theirs: Any, config: Config) -> None:
    """Equal to 1e-5, float32; where there are classes with each class of some, and with none."""
    channels, size, _ = config.data.shape
    torch.manual_seed(1)
    x, t = torch.randn(3, channels, size, size), torch.tensor([0, 500, 999])
    classes = config.model.classes
    with torch.no_grad():
        for labels in [None] if not classes else [torch.tensor([0, 3, 9]), torch.full((3,), classes)]:
            mine, other = ours(x, t, labels), theirs(x, t, labels).sample
            assert 0.3 < mine.std() < 3
            assert (mine - other).abs().max() < 1e-5
        if classes:
            assert torch.equal(ours(x, t), ours(x, t, torch.full((3,), classes)))


def carried(config: Config, folder: Path) -> None:
    """Out to diffusers, and from what it saves back into a run."""
    from diffusers import DDPMPipeline

    network, out = exported(config, folder)
    pipeline = DDPMPipeline.from_pretrained(out)
    same(network, pipeline.unet.eval(), config)
    pipeline.save_pretrained(folder / "theirs")
    settings = [f"data.dataset={config.data.dataset}"]
    told, back, again = imported(folder / "theirs", folder / "run", *settings)
    assert told["format"] == "diffusers"
    plain = config.data.model_copy(update={"augment": 0.0, "flip": False})
    assert back.data.shape == plain.shape
    assert back.model == config.model.model_copy(update={"attention": back.model.attention})
    same(again, pipeline.unet, back)
    mine = {n: t for n, t in network.state_dict().items() if not n.startswith("augmentation")}
    assert safetensors.torch.save(mine) == safetensors.torch.save(again.state_dict())


def test_the_time_is_told_alike() -> None:
    from diffusers.models.embeddings import get_timestep_embedding

    times = torch.arange(1000)
    for width in (8, 24, 32, 128):
        theirs = get_timestep_embedding(times, width, flip_sin_to_cos=False, downscale_freq_shift=1)
        assert torch.equal(sinusoids(times, width), theirs)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_presets_network_is_carried_both_ways(preset: str, tmp_path: Path) -> None:
    carried(configfiles.resolve(preset)[0], tmp_path)


@pytest.mark.parametrize("settings", ODD, ids=lambda s: " ".join(s) or "grey")
def test_odd_networks_are_carried_both_ways(settings: tuple[str, ...], tmp_path: Path) -> None:
    carried(tiny(*settings), tmp_path)


SCHEDULES = [
    ("diffusion.schedule=linear",),
    ("diffusion.schedule=scaled_linear", "diffusion.beta_end=0.012", "diffusion.timesteps=400"),
    ("diffusion.schedule=cosine", "diffusion.prediction=v"),
    ("diffusion.schedule=sigmoid", "diffusion.prediction=x0", "diffusion.variance=fixed_small"),
    ("diffusion.schedule=linear", "diffusion.zero_terminal_snr=true", "diffusion.prediction=v"),
    ("diffusion.schedule=cosine", "diffusion.zero_terminal_snr=true", "diffusion.prediction=x0"),
    ("diffusion.timesteps=37", "diffusion.variance=learned_range", "sampling.clip=false"),
]


@pytest.mark.parametrize("settings", SCHEDULES, ids=lambda s: " ".join(part.split(".")[1] for part in s))
def test_the_forward_process_is_carried_both_ways(settings: tuple[str, ...], tmp_path: Path) -> None:
    from diffusers import DDPMPipeline

    config = tiny("sampling.steps=unset", *settings)
    _, out = exported(config, tmp_path)
    pipeline = DDPMPipeline.from_pretrained(out)
    scheduler, diffusion = pipeline.scheduler, config.diffusion
    ours = schedules.make(diffusion)
    assert len(scheduler.alphas_cumprod) == diffusion.timesteps
    assert (scheduler.alphas_cumprod.double() - ours.alphas_cumprod).abs().max() < 1e-6
    names = {"epsilon": "epsilon", "v": "v_prediction", "x0": "sample"}
    assert scheduler.config.prediction_type == names[diffusion.prediction]
    assert scheduler.config.variance_type == diffusion.variance
    assert scheduler.config.clip_sample is config.sampling.clip
    pipeline.save_pretrained(tmp_path / "theirs")
    _, back, _ = imported(tmp_path / "theirs", tmp_path / "run")
    assert back.diffusion == diffusion
    assert (back.sampling.sampler, back.sampling.clip) == ("ddpm", config.sampling.clip)


@pytest.mark.parametrize("settings", [(), ("diffusion.variance=learned_range",)], ids=["fixed", "learned"])
def test_the_pipeline_draws(settings: tuple[str, ...], tmp_path: Path) -> None:
    from diffusers import DDPMPipeline

    _, out = exported(tiny("diffusion.timesteps=5", "sampling.steps=unset", *settings), tmp_path)
    pipeline = DDPMPipeline.from_pretrained(out)
    pipeline.set_progress_bar_config(disable=True)
    images = pipeline(batch_size=2, num_inference_steps=5, output_type="np").images
    assert images.shape == (2, 8, 8, 1)


def test_halves_are_carried_as_halves(tmp_path: Path) -> None:
    from diffusers import DDPMPipeline

    network, out = exported(tiny(), tmp_path, dtype="float16")
    pipeline = DDPMPipeline.from_pretrained(out)
    mine, theirs = network.state_dict(), pipeline.unet.state_dict()
    assert all(torch.equal(mine[n].half(), theirs[n].half()) for n in mine)


def test_a_folder_of_the_released_kind(tmp_path: Path) -> None:
    """google/ddpm-cifar10-32 in small: all files side by side, attention under its old names, torch's file,
    no word of what later versions have options for."""
    config = tiny("data.channels=3")
    network, out = exported(config, tmp_path)
    old = tmp_path / "released"
    old.mkdir()
    (out / "unet" / "config.json").rename(old / "config.json")
    (out / "scheduler" / "scheduler_config.json").rename(old / "scheduler_config.json")
    (out / "model_index.json").rename(old / "model_index.json")
    newer = ("dropout", "num_class_embeds", "add_attention", "class_embed_type", "downsample_type")
    edit(old / "config.json", lambda found: [found.pop(key) for key in (*newer, "upsample_type")])
    newer = ("prediction_type", "clip_sample_range", "thresholding", "timestep_spacing", "steps_offset")
    edit(old / "scheduler_config.json", lambda found: [found.pop(key) for key in newer])
    names = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    table = {}
    for name, tensor in network.state_dict().items():
        for new, before in names.items():
            name = name.replace(f".{new}.", f".{before}.")
        table[name] = tensor
    assert any(".proj_attn." in name for name in table)
    torch.save(table, old / peerfolder.WEIGHTS[1])
    from diffusers import DDPMPipeline

    pipeline = DDPMPipeline.from_pretrained(old)
    told, back, again = imported(old, tmp_path / "run", "data.dataset=digits")
    assert (told["step"], told["notes"]) == (None, [])
    assert back.diffusion == config.diffusion
    same(again, pipeline.unet.eval(), back)
