"""Averages of weights in trainings: exact over resumes, made of snapshots, refused where there are none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from ddpm import averages, checkpoint, snapshots, subject, weights
from ddpm.config import Config
from ddpm.config_training import TrainingConfig
from ddpm.configfiles import ConfigError, override
from ddpm.ema import EMA, all_of
from ddpm.errors import EngineError
from ddpm.training import Training
from tests.ddpm.test_training import run, tiny

KEPT = (
    "training.ema_decays=0.5,0.6", "training.ema_lengths=0.05,0.1", "training.ema_snapshots=3",
    "training.steps=24", "training.checkpoint_every=12",
)  # fmt: skip
CPU = torch.device("cpu")


def contents(directory: Path, step: int) -> dict[str, bytes]:
    folder = checkpoint.folder(directory, step)
    files = [*folder.glob("*.safetensors"), *(directory / averages.FOLDER).iterdir()]
    return {path.name: path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("trained")
    run(tiny(*KEPT), directory)
    return directory


def test_a_checkpoint_holds_every_average(trained: Path) -> None:
    names = {path.name for path in checkpoint.folder(trained, 24).glob("ema*")}
    assert names == {"ema.safetensors", *(f"ema-{v}.safetensors" for v in (0.5, 0.6, 0.05, 0.1))}
    assert sorted(path.stem for path in (trained / "snapshots").iterdir()) == [
        f"{step:08d}" for step in range(3, 25, 3)
    ]


def test_a_resumed_training_ends_in_the_same_bytes_with_all_of_them(trained: Path, tmp_path: Path) -> None:
    first = Training(tiny(*KEPT), tmp_path, device="cpu", data_root=tmp_path)
    for _ in first:
        if first.step >= 10:
            first.stop()
    assert first.step < 24
    run(tiny(*KEPT), tmp_path)
    assert contents(tmp_path, 24) == contents(trained, 24)


def weights_of(directory: Path, *settings: str, step: int = 24) -> dict[str, Tensor]:
    config = override(tiny(*KEPT), settings)
    found = subject.from_checkpoint(checkpoint.folder(directory, step), config, CPU)
    return found.network.state_dict()


def stored(directory: Path, name: str) -> dict[str, Tensor]:
    return safetensors.torch.load_file(checkpoint.folder(directory, 24) / name)


def same(one: dict[str, Tensor], other: dict[str, Tensor], tolerance: float = 0.0) -> bool:
    return one.keys() == other.keys() and all(
        torch.allclose(one[k].float(), other[k].float(), atol=tolerance, rtol=tolerance) for k in one
    )


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ([], "ema.safetensors"),
        (["sampling.average=0.99"], "ema.safetensors"),
        (["sampling.ema=false"], "model.safetensors"),
        (["sampling.average=0.5"], "ema-0.5.safetensors"),
        (["sampling.average=0.05"], "ema-0.05.safetensors"),
    ],
)
def test_what_is_asked_for_is_drawn_with(trained: Path, settings: list[str], name: str) -> None:
    assert same(weights_of(trained, *settings), stored(trained, name))


def test_another_length_is_made_of_the_snapshots(tmp_path: Path) -> None:
    """What tracking it from the start would have given, of weights that wander for 800 steps."""
    lengths, wanted = (0.05, 0.1), 0.07
    config = override(Config(), ["training.ema_lengths=0.05,0.1", "training.ema_snapshots=40"])
    network, generator = nn.Linear(4, 4), torch.Generator().manual_seed(0)
    kept, tracked = all_of(network, config.training), power(network, wanted)
    for step in range(1, 801):
        for parameter in network.parameters():
            parameter.data += torch.randn(parameter.shape, generator=generator) / 30
        for average in (*kept.values(), tracked):
            average.update(network, step)
        if step % 40 == 0:
            snapshots.write(tmp_path, step, kept, lengths)
    blobs = {name: weights.to_bytes(average.network) for name, average in kept.items()}
    saved = checkpoint.write(tmp_path, blobs, {"step": 800, "images_seen": 800})
    made = nn.Linear(4, 4)
    snapshots.fill(made, saved, override(config, [f"sampling.average={wanted}"]))

    def off(one: nn.Module, other: nn.Module) -> float:
        return float((one.weight - other.weight).detach().abs().max())  # type: ignore[operator, union-attr]

    others = [kept[averages.file_of(length)].network for length in lengths]
    assert off(made, tracked.network) < 0.1 * min(off(other, tracked.network) for other in others)


def power(network: nn.Module, length: float) -> EMA:
    return all_of(network, TrainingConfig(ema_lengths=(length,)))[averages.file_of(length)]


def test_an_average_that_cannot_be_made_is_refused_in_one_line(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(
        EngineError, match=r"sampling\.average: 7 snapshots before step 24 make no average of length 0\.001 "
    ):
        weights_of(trained, "sampling.average=0.001")
    copied = tmp_path / "run"
    shutil.copytree(trained, copied)
    broken = copied / "snapshots" / "00000006.safetensors"
    broken.write_bytes(b"none")
    with pytest.raises(EngineError, match=r"00000006\.safetensors: no snapshot of averages"):
        weights_of(copied, "sampling.average=0.07")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["sampling.average=0.5"], "sampling.average: the training keeps no average 0.5; there is 0.9999"),
        (["sampling.average=0.07"], "sampling.average: the training keeps no average 0.07"),
        (
            ["training.ema_lengths=0.1", "training.ema_snapshots=5", "sampling.average=0.3"],
            "there is 0.9999, 0.1 and, where its snapshots make them, lengths up to 0.28",
        ),
        (["sampling.ema=false", "sampling.average=0.9999"], "with sampling.ema false no average is taken"),
        (["training.ema_decays=0.2"], "training.ema_decays: 0.2 is not from 0.5 to below 1"),
        (["training.ema_decays=0.5,0.5"], "training.ema_decays: two of them are alike"),
        (["training.ema_decays=0.9999"], "training.ema_decays: 0.9999 is training.ema_decay already"),
        (["training.ema_decays=x"], "training.ema_decays: 'x' is not numbers separated by commas"),
        (["training.ema_lengths=0.3"], "training.ema_lengths: 0.3 is not from 0.001 to 0.28"),
        (["training.ema_lengths=nan"], "training.ema_lengths: 'nan' is not numbers"),
        (["training.ema_snapshots=5"], "training.ema_snapshots: there is nothing to take snapshots of"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(settings: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        override(Config(), settings)


def test_a_training_draws_with_no_average_that_it_makes_only_later(tmp_path: Path) -> None:
    config = tiny(*KEPT, "sampling.average=0.07")
    with pytest.raises(EngineError, match=r"sampling\.average: 0\.07 is made of snapshots"):
        Training(config, tmp_path, device="cpu", data_root=tmp_path)


def test_every_average_is_updated_and_none_is_another(trained: Path) -> None:
    files = sorted(path.name for path in checkpoint.folder(trained, 24).glob("*.safetensors"))
    files.remove("training_state.safetensors")
    found = [stored(trained, name) for name in files]
    for place, one in enumerate(found):
        for other in found[place + 1 :]:
            assert not same(one, other)
