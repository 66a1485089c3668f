"""Folders of others: what is broken, foreign or made to do harm is refused in one line that names it."""

import errno
import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from ddpm import checkpoint
from ddpm.carrying import importing
from ddpm.carrying.exporting import export
from ddpm.carrying.reading import CarryError
from ddpm.configfiles import ConfigError
from ddpm.errors import EngineError
from tests.ddpm.carrying.folders import edit, exported, imported, tiny

UNET, SCHEDULER = "unet/config.json", "scheduler/scheduler_config.json"
WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What diffusers would load."""
    return exported(tiny(), tmp_path)[1]


def refusal(folder: Path, *settings: str) -> str:
    """What is said of a folder that is not made a run, of which nothing is left."""
    target = folder.parent / "run"
    target.mkdir()
    with pytest.raises((EngineError, ConfigError)) as caught:
        importing.make(folder, target, settings)
    assert not list(target.iterdir())
    said = str(caught.value)
    assert len(said.splitlines()) == 1
    assert said.isprintable()
    assert len(said) < 400
    return said


FOREIGN: list[tuple[str, str, Any, str]] = [
    (UNET, "_class_name", "UNet2DConditionModel", "only a UNet2DModel"),
    (UNET, "act_fn", "gelu", 'act_fn is "gelu"; a network here has "silu"'),
    (UNET, "resnet_time_scale_shift", "scale_shift", "resnet_time_scale_shift"),
    (UNET, "time_embedding_type", "fourier", "time_embedding_type"),
    (UNET, "flip_sin_to_cos", True, "flip_sin_to_cos is true"),
    (UNET, "freq_shift", 0, "freq_shift is 0"),
    (UNET, "downsample_padding", 1, "downsample_padding is 1"),
    (UNET, "norm_eps", 1e-5, "norm_eps is 1e-05"),
    (UNET, "add_attention", False, "add_attention is false"),
    (UNET, "mid_block_type", None, "mid_block_type is null"),
    (UNET, "center_input_sample", True, "center_input_sample"),
    (UNET, "class_embed_type", "timestep", "class_embed_type"),
    (UNET, "downsample_type", "resnet", "downsample_type"),
    (UNET, "down_block_types", ["DownBlock2D", "SkipDownBlock2D"], '"SkipDownBlock2D"'),
    (UNET, "down_block_types", "DownBlock2D", "down_block_types"),
    (UNET, "down_block_types", [["x"], {}], "down_block_types has a list of 1"),
    (UNET, "up_block_types", ["UpBlock2D", "UpBlock2D"], "up_block_types"),
    (UNET, "block_out_channels", [8, 12], "block_out_channels"),
    (UNET, "block_out_channels", [8], "up_block_types"),
    (UNET, "block_out_channels", [8, 8 * 17], "each a multiple (up to 16) of the first"),
    (UNET, "block_out_channels", [10**9, 10**9], "block_out_channels"),
    (UNET, "block_out_channels", None, "block_out_channels is null"),
    (UNET, "layers_per_block", 10**30, "layers_per_block"),
    (UNET, "layers_per_block", True, "layers_per_block is true"),
    (UNET, "layers_per_block", 9, "model.blocks"),
    (UNET, "sample_size", None, "sample_size is null"),
    (UNET, "sample_size", [8, 8], "sample_size is [8, 8]"),
    (UNET, "sample_size", 9, "sample_size is 9"),
    (UNET, "in_channels", 4, "in_channels is 4"),
    (UNET, "out_channels", 5, "out_channels is 5"),
    (UNET, "out_channels", 2, "out_channels says that a variance is learned"),
    (UNET, "norm_num_groups", 5, "norm_num_groups is 5"),
    (UNET, "attn_norm_num_groups", 4, "attn_norm_num_groups is 4"),
    (UNET, "time_embedding_dim", 64, "time_embedding_dim is 64"),
    (UNET, "attention_head_dim", 5, "model.head_channels: 5 does not divide the 16 channels"),
    (UNET, "attention_head_dim", 0, "attention_head_dim is 0"),
    (UNET, "num_class_embeds", 1, "num_class_embeds is 1"),
    (UNET, "num_class_embeds", 10, "model.classes: digits has 10 classes, not 9"),
    (UNET, "dropout", 1.5, "dropout is 1.5"),
    (UNET, "dropout", "much", 'dropout is "much"'),
    (UNET, "sauce\x1b[2J", 7, r'the option "sauce\u001b[2J" is not known'),
    (SCHEDULER, "_class_name", "../../etc/passwd", '"../../etc/passwd" is none of'),
    (SCHEDULER, "_class_name", ["DDPMScheduler"], "is none of"),
    (SCHEDULER, "beta_schedule", "sigmoid", 'beta_schedule is "sigmoid"'),
    (SCHEDULER, "beta_start", "low", "beta_start and beta_end must be numbers"),
    (SCHEDULER, "beta_start", 0.5, "no schedule that there is here"),
    (SCHEDULER, "trained_betas", [0.1] * 3, "trained_betas must be 1000 numbers"),
    (SCHEDULER, "trained_betas", [0.1, 0.3] * 500, "trained_betas is no schedule"),
    (SCHEDULER, "num_train_timesteps", 10**9, "num_train_timesteps"),
    (SCHEDULER, "prediction_type", "flow", 'prediction_type is "flow"'),
    (SCHEDULER, "prediction_type", {}, "prediction_type is an object"),
    (SCHEDULER, "variance_type", "learned", 'variance_type is "learned"'),
    (SCHEDULER, "variance_type", "learned_range", "says that a variance is not learned"),
    (SCHEDULER, "thresholding", True, "thresholding is true"),
    (SCHEDULER, "clip_sample_range", 2.0, "clip_sample_range is 2.0"),
    (SCHEDULER, "rescale_betas_zero_snr", True, "diffusion.prediction"),
    ("model_index.json", "_class_name", "StableDiffusionPipeline", '"StableDiffusionPipeline"'),
    ("model_index.json", "unet", ["my_code", "Net"], "no UNet2DModel of diffusers"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "key", "value", "said"), FOREIGN, ids=lambda v: str(v)[:30].strip("\x1b"))
def test_an_option_that_no_network_here_has(file: str, key: str, value: Any, said: str, folder: Path) -> None:
    edit(folder / file, lambda found: found.__setitem__(key, value))
    assert said in refusal(folder)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not JSON"),
        (b"[1]", "not a JSON object"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b'{"a": NaN}', "NaN, which no JSON has"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "not JSON"),
        (b" " * 4_000_001, "larger than 4,000,000 bytes"),
    ],
    ids=["empty", "list", "encoding", "nan", "deep", "number", "huge"],
)
@pytest.mark.parametrize("file", [UNET, SCHEDULER, "model_index.json"])
def test_what_is_no_json_object(file: str, content: bytes, said: str, folder: Path) -> None:
    (folder / file).write_bytes(content)
    assert said in refusal(folder)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (UNET, "unet/config.json or config.json is missing"),
        (SCHEDULER, "scheduler/scheduler_config.json or scheduler_config.json is missing"),
        (WEIGHTS, "diffusion_pytorch_model.safetensors or diffusion_pytorch_model.bin is missing"),
    ],
)
def test_a_file_that_is_missing(file: str, said: str, folder: Path) -> None:
    (folder / file).unlink()
    assert said in refusal(folder)


def test_what_is_no_folder_of_weights(folder: Path) -> None:
    for file in folder.rglob("*.json"):
        file.unlink()
    assert "neither a folder as diffusers writes it" in refusal(folder)


@pytest.mark.parametrize("file", [UNET, SCHEDULER, WEIGHTS])
@pytest.mark.parametrize("what", ["pipe", "device", "folder", "loop", "dangling"])
def test_what_is_no_file(what: str, file: str, folder: Path) -> None:
    path = folder / file
    path.unlink()
    if what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    else:
        path.symlink_to({"device": "/dev/zero", "loop": path.name, "dangling": "nowhere"}[what])
    said = refusal(folder)
    assert "missing" in said if what == "dangling" else "not a file" in said or "cannot be read" in said


@pytest.mark.parametrize("name", ["model.fp16.safetensors", "model-00001-of-00002.safetensors"])
def test_weights_in_parts_or_a_variant(name: str, folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "unet" / f"diffusion_pytorch_{name}")
    said = refusal(folder)
    assert f'there is "diffusion_pytorch_{name}" and no diffusion_pytorch_model.safetensors' in said
    assert "save the pipeline without `variant`, in one file" in said


def test_a_disk_that_is_full(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoint, "_write_synced", full)
    target = folder.parent / "run"
    target.mkdir()
    with pytest.raises(CarryError, match=r"^the weights, 0.\d MB, could not be written: No space left on"):
        importing.make(folder, target)


def test_links_to_files_are_followed(folder: Path, tmp_path: Path) -> None:
    """A model hub's cache is a folder of links."""
    for file in (UNET, SCHEDULER, WEIGHTS):
        (folder / file).rename(tmp_path / Path(file).name)
        (folder / file).symlink_to(tmp_path / Path(file).name)
    imported(folder, tmp_path / "run")


def changed(folder: Path, **changes: Any) -> None:
    """Write the weights anew, tensors changed by name ("." is "__"); None takes one out."""
    tensors = safetensors.torch.load_file(folder / WEIGHTS)
    for name, value in changes.items():
        key = name.replace("__", ".")
        tensors.pop(key, None)
        if value is not None:
            tensors[key] = value
    safetensors.torch.save_file(tensors, folder / WEIGHTS)


NAN = torch.full((8,), float("nan"))
TENSORS = [
    ({"conv_in__bias": None}, "conv_in.bias missing"),
    ({"conv_in__bias": torch.zeros(9)}, "conv_in.bias is of shape (9,); the network described has (8,)"),
    ({"conv_in__bias": NAN}, "conv_in.bias has numbers that are not finite"),
    ({"conv_in__bias": torch.full((8,), 1e300, dtype=torch.float64)}, "not finite"),
    ({"conv_in__bias": torch.zeros(8, dtype=torch.int64)}, "conv_in.bias is int64"),
    ({"sauce": torch.zeros(1)}, '"sauce" is no weight of the network'),
    (
        {"mid_block__attentions__0__query__bias": torch.zeros(16)},
        '"mid_block.attentions.0.',
    ),
]


@pytest.mark.parametrize(("changes", "said"), TENSORS, ids=[said[:24] for _, said in TENSORS])
def test_weights_that_are_not_of_the_network(changes: dict[str, Any], said: str, folder: Path) -> None:
    changed(folder, **changes)
    assert said in refusal(folder)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "0 bytes cannot be"),
        (b"\0" * 100_000, "not safetensors"),
        (b"\xff" * 200_000, "not safetensors"),
        (b"\0" * 20_000_000, "20,000,000 bytes cannot be"),
    ],
    ids=["empty", "zeros", "ones", "large"],
)
def test_what_is_no_safetensors(content: bytes, said: str, folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(content)
    assert said in refusal(folder)


class Harm:
    """What a pickle could do."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.mark}'",)


def as_bin(folder: Path) -> Path:
    (folder / WEIGHTS).unlink()
    return folder / WEIGHTS.replace(".safetensors", ".bin")


def test_code_in_torchs_file_is_never_run(folder: Path, tmp_path: Path) -> None:
    mark = tmp_path / "harmed"
    tensors = safetensors.torch.load_file(folder / WEIGHTS)
    torch.save({**tensors, "x": Harm(mark)}, as_bin(folder))
    assert "not a plain table of tensors" in refusal(folder)
    assert not mark.exists()


def test_a_bare_pickle_is_not_read(folder: Path, tmp_path: Path) -> None:
    mark = tmp_path / "harmed"
    as_bin(folder).write_bytes(pickle.dumps(Harm(mark)) + b"\0" * 200_000)
    assert "not a plain table of tensors" in refusal(folder)
    assert not mark.exists()


def test_a_packed_file_is_not_unpacked(folder: Path, tmp_path: Path) -> None:
    path = as_bin(folder)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", b"\0" * 10**8)
        archive.writestr("x/data/0", os.urandom(10**5))
    assert "packed" in refusal(folder)


@pytest.mark.parametrize("table", [[1, 2], {"a": 1}, {1: torch.zeros(1)}], ids=str)
def test_what_is_no_table_of_tensors(table: Any, folder: Path) -> None:
    if isinstance(table, dict):
        table = {**table, "large": torch.zeros(60_000)}
    else:
        table.append(torch.zeros(60_000))
    torch.save(table, as_bin(folder))
    said = refusal(folder)
    assert "not a plain table of tensors" in said or "is no weight of the network" in said


def test_a_tensor_of_no_memory(folder: Path) -> None:
    tensors = {**safetensors.torch.load_file(folder / WEIGHTS), "conv_in.bias": torch.zeros(8, device="meta")}
    torch.save(tensors, as_bin(folder))
    assert "conv_in.bias is no plain tensor" in refusal(folder)


def test_a_data_set_that_cannot_be_guessed(tmp_path: Path) -> None:
    _, out = exported(tiny("data.image_size=12"), tmp_path)
    said = refusal(out)
    assert said.startswith("data.dataset: it cannot be told from images of 1×12×12")
    _, config, _ = imported(out, tmp_path / "named", "data.dataset=folder", "data.root=/photos")
    assert (config.data.root, config.data.shape) == ("/photos", (1, 12, 12))


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("model.channels=16", "model.channels: the weights are of 8; it cannot be another"),
        ("diffusion.schedule=cosine", "diffusion.schedule: the weights are of linear"),
        ("diffusion.prediction=v", "diffusion.prediction: the weights are of epsilon"),
        ("diffusion.variance=learned_range", "diffusion.variance: whether it is learned"),
        ("data.image_size=16", "data.image_size: images would be 1×16×16; the weights are of 1×8×8"),
        ("training.objective=noise2same", "training.objective: the weights are of a diffusion model"),
        ("sampling.ema=false", "sampling.ema: the weights are one average"),
        ("training.ema_lengths=0.1", "training.ema_lengths: the weights are the only ones"),
        ("training.ema_decays=0.5", "training.ema_decays: the weights are the only ones"),
        ("training.stps=1", "did you mean training.steps?"),
        ("data.dataset=mnits", "did you mean mnist?"),
    ],
)
def test_a_setting_that_would_make_it_another_network(setting: str, said: str, folder: Path) -> None:
    assert said in refusal(folder, setting)


def test_what_may_be_set_is(folder: Path, tmp_path: Path) -> None:
    settings = ("training.steps=7", "sampling.sampler=ddim", "model.dropout=0.5", "data.dataset=mnist")
    told, config, _ = imported(folder, tmp_path / "run", *settings, "diffusion.variance=fixed_small")
    assert (config.training.steps, config.sampling.sampler, config.model.dropout) == (7, "ddim", 0.5)
    assert (config.data.dataset, config.data.shape, config.diffusion.variance) == (
        "mnist", (1, 8, 8), "fixed_small",
    )  # fmt: skip
    assert told["notes"] == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (("training.objective=noise2same",), "a network that learned to denoise (noise2same)"),
        (
            ("training.objective=consistency", "sampling.sampler=consistency", "diffusion.prediction=v"),
            "a network tuned to draw in few steps",
        ),
        (("model.patch=2",), "a UNet2DModel sees each pixel alone"),
    ],
    ids=["denoiser", "consistency", "patches"],
)
def test_what_diffusers_has_no_like_of(settings: tuple[str, ...], said: str, tmp_path: Path) -> None:
    with pytest.raises(CarryError, match=r"^(training\.objective|model\.patch): ") as caught:
        exported(tiny(*settings), tmp_path)
    assert said in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_over(folder: Path, tmp_path: Path) -> None:
    before = (folder / "model_index.json").read_bytes()
    saved = checkpoint.whole(tmp_path)[0].path
    for target in (folder, folder / "model_index.json"):
        with pytest.raises(CarryError, match="there already"):
            export(saved, tiny(), target, to="diffusers", told={})
    assert (folder / "model_index.json").read_bytes() == before
    empty = tmp_path / "empty"
    empty.mkdir()
    export(saved, tiny(), empty, to="diffusers", told={})
    assert json.loads((empty / "model_index.json").read_text())["_class_name"] == "DDPMPipeline"
    assert not list(tmp_path.glob(".*"))


def test_a_scheduler_that_never_cuts_is_not_taken_to(folder: Path, tmp_path: Path) -> None:
    for kind, cuts in (("PNDMScheduler", False), ("DDIMScheduler", True)):
        edit(folder / SCHEDULER, lambda found, kind=kind: found.update(_class_name=kind))
        edit(folder / SCHEDULER, lambda found: found.pop("clip_sample", None))
        assert imported(folder, tmp_path / kind)[1].sampling.clip is cuts


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, []),
        ({"timestep_spacing": None, "set_alpha_to_one": True, "steps_offset": 0}, []),
        ({"timestep_spacing": "trailing"}, ['timestep_spacing is "trailing": left out']),
        ({"steps_offset": 1, "set_alpha_to_one": False}, ["steps_offset is 1", "set_alpha_to_one is false"]),
        ({"_class_name": "PNDMScheduler"}, ["of a PNDMScheduler; here it draws by ddim"]),
    ],
)
def test_what_a_scheduler_says_of_drawing_and_is_left_out_is_told(
    changes: dict[str, Any], said: list[str], folder: Path, tmp_path: Path
) -> None:
    edit(folder / SCHEDULER, lambda found: found.update(changes))
    notes = imported(folder, tmp_path / "run")[0]["notes"]
    told = [note for note in notes if note.startswith("scheduler_config.json: ")]
    assert len(told) == len(said)
    assert all(part in note for part, note in zip(said, told, strict=True))


def test_our_own_zero_signal_at_the_end_needs_no_note(tmp_path: Path) -> None:
    config = tiny("diffusion.zero_terminal_snr=true", "diffusion.prediction=v")
    _, folder = exported(config, tmp_path)
    told, back, _ = imported(folder, tmp_path / "run")
    assert back.diffusion.zero_terminal_snr
    assert not [note for note in told["notes"] if "scheduler" in note]


def test_steps_that_nobody_knows_stay_unknown(folder: Path, tmp_path: Path) -> None:
    """From diffusers to a run, from there to plain files, and from them to a run."""
    told, config, _ = imported(folder, tmp_path / "first")
    assert told["step"] is None
    saved = checkpoint.whole(tmp_path / "first")[0].path
    export(saved, config, tmp_path / "plain", to="safetensors", told={})
    assert imported(tmp_path / "plain", tmp_path / "second")[0]["step"] is None
