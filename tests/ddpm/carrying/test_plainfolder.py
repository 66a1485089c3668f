"""Three plain files: out and back, halves, what they do not say, and what is wrong with those of others."""

import json
from pathlib import Path

import pytest
import torch

from ddpm import averages, configfiles
from ddpm.carrying import importing, plainfolder
from ddpm.carrying.reading import CarryError
from ddpm.config import Config
from ddpm.configfiles import ConfigError
from ddpm.errors import EngineError
from tests.ddpm.carrying.folders import edit, exported, imported, tiny


def test_the_weights_come_back_byte_for_byte(tmp_path: Path) -> None:
    config = tiny("model.classes=10", "data.augment=0.12", "training.ema_decays=0.9")
    _, out = exported(config, tmp_path, "safetensors")
    assert sorted(path.name for path in out.iterdir()) == sorted(plainfolder.NAMES)
    told, back, _ = imported(out, tmp_path / "run")
    first = next((tmp_path / "checkpoints").glob("*/ema.safetensors"))
    again = next((tmp_path / "run" / "checkpoints").glob("*/ema.safetensors"))
    assert first.read_bytes() == again.read_bytes() == (out / "ema.safetensors").read_bytes()
    assert back == plainfolder.carried(config)
    assert [told[key] for key in ("format", "step", "images_seen", "name", "preset", "notes")] == [
        "safetensors", 40, 1280, "was", "digits", [],
    ]  # fmt: skip


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_halves(dtype: str, tmp_path: Path) -> None:
    network, out = exported(tiny(), tmp_path, "safetensors", dtype=dtype)
    numbers = sum(p.numel() for p in network.parameters())
    assert (out / "ema.safetensors").stat().st_size < 2 * numbers + 20_000
    _, _, again = imported(out, tmp_path / "run")
    kind = getattr(torch, dtype)
    for name, tensor in again.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, network.state_dict()[name].to(kind).float())


def test_no_path_of_this_machine_is_in_it(tmp_path: Path) -> None:
    config = configfiles.override(
        tiny("data.channels=1"),
        [
            *("data.dataset=folder", "data.root=/secret/faces", "data.image_size=8"),
            *("restoration.mask=/secret/mask.png", "evaluation.weights=/secret/weights"),
        ],
    )
    _, out = exported(config, tmp_path, "safetensors")
    for path in out.iterdir():
        assert b"secret" not in path.read_bytes()
    told, _, _ = imported(out, tmp_path / "unnamed")
    assert told["notes"] == ["data.root: 'faces' is looked for here; --set data.root=DIR"]
    _, back, _ = imported(out, tmp_path / "run", "data.root=/mine")
    assert (back.data.root, back.restoration.mask) == ("/mine", "box")


@pytest.mark.parametrize("settings", [("training.objective=noise2same",), ("model.head_channels=8",)])
def test_every_network_of_ours_is_carried(settings: tuple[str, ...], tmp_path: Path) -> None:
    network, out = exported(tiny(*settings), tmp_path, "safetensors")
    _, config, again = imported(out, tmp_path / "run")
    assert config.objective == tiny(*settings).objective
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([0, 5])
    assert torch.equal(network(x, t), again(x, t))


def chosen(*settings: str) -> Config:
    return tiny("training.ema_decays=0.9", "training.ema_lengths=0.1", *settings)


def test_the_average_that_was_carried_is_told_as_it_was() -> None:
    for settings in ((), ("sampling.average=0.9",), ("sampling.ema=false",)):
        before = chosen(*settings)
        after = plainfolder.carried(before)
        told = averages.told(after.training, after.sampling)
        assert told["ema_decay"] == (averages.told(before.training, before.sampling)["ema_decay"] or 0)
    with pytest.raises(CarryError, match=r"relative length 0\.1 cannot be told"):
        plainfolder.carried(chosen("sampling.average=0.1"))


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("config.toml", None, "config.toml is missing"),
        ("state.json", None, "state.json is missing"),
        ("ema.safetensors", None, "ema.safetensors is missing"),
        ("config.toml", "training = [", "not TOML"),
        ("config.toml", "[model]\nchannels = 7\n", "model.channels"),
        ("config.toml", "[sauce]\n", "no such section"),
        ("config.toml", " " * 5_000_000, "larger than"),
        ("state.json", "{", "not JSON"),
        ("state.json", '{"format": 1}', "state.json is damaged"),
        ("ema.safetensors", "x", "cut short"),
    ],
)
def test_what_is_broken(file: str, content: str | None, said: str, tmp_path: Path) -> None:
    _, out = exported(tiny(), tmp_path, "safetensors")
    (out / file).unlink()
    if content is not None:
        (out / file).write_text(content)
    with pytest.raises((EngineError, ConfigError)) as caught:
        importing.make(out, tmp_path / "run")
    assert said in str(caught.value)


def test_no_path_of_somebody_elses_is_followed(tmp_path: Path) -> None:
    _, out = exported(tiny(), tmp_path, "safetensors")
    paths = ["data.root=/etc", "evaluation.weights=/etc/passwd", "restoration.mask=/etc/passwd"]
    (out / "config.toml").write_text(configfiles.dumps(configfiles.override(tiny(), paths)))
    _, back, _ = imported(out, tmp_path / "run")
    assert (back.data.root, back.evaluation.weights, back.restoration.mask) == (None, None, "box")


def test_weights_that_were_changed(tmp_path: Path) -> None:
    _, out = exported(tiny(), tmp_path, "safetensors")
    content = bytearray((out / "ema.safetensors").read_bytes())
    content[-1] ^= 1
    (out / "ema.safetensors").write_bytes(content)
    with pytest.raises(EngineError, match="damaged"):
        importing.make(out, tmp_path / "run")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("step", 2**70, "no training has so many steps"),
        ("step", -1, "damaged"),
        ("files", {"../out/ema.safetensors": {"bytes": 1, "sha256": ""}}, "outside"),
        ("files", {}, "has no ema.safetensors"),
        ("format", 9, "newer version"),
    ],
)
def test_a_state_that_lies(key: str, value: object, said: str, tmp_path: Path) -> None:
    _, out = exported(tiny(), tmp_path, "safetensors")
    edit(out / "state.json", lambda state: state.__setitem__(key, value))
    with pytest.raises(EngineError, match=said):
        importing.make(out, tmp_path / "run")


def test_a_name_and_a_preset_are_only_words(tmp_path: Path) -> None:
    _, out = exported(tiny(), tmp_path, "safetensors")
    edit(out / "state.json", lambda state: state.update(name=["x"], preset="../x"))
    told, _, _ = imported(out, tmp_path / "run")
    assert (told["name"], told["preset"]) == (None, None)
    assert "path" not in json.dumps(told)
