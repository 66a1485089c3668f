"""Training: learning, exact resume, keeping checkpoints, and what stops it."""

from pathlib import Path

import pytest
import torch

from ddpm import checkpoint, devices, weights
from ddpm.config import Config
from ddpm.configfiles import override, resolve
from ddpm.errors import EngineError
from ddpm.events import (
    CheckpointRemoved,
    CheckpointWritten,
    Ended,
    Event,
    Metrics,
    Notice,
    SamplesWritten,
    Started,
)
from ddpm.images import read_png_text
from ddpm.training import Training

TINY = [
    "model.channels=8", "model.multipliers=1,2", "model.blocks=1", "model.attention=4", "model.dropout=0.2",
    "training.batch_size=16", "training.steps=8", "training.warmup_steps=3", "training.log_every=3",
    "training.checkpoint_every=4", "training.sample_every=0", "training.learning_rate=2e-3",
    "sampling.steps=3", "sampling.count=4", "data.flip=true", "training.precision=float32",
    "training.decay=constant",
]  # fmt: skip


def tiny(*settings: str) -> Config:
    return override(resolve("digits")[0], [*TINY, *settings])


def run(config: Config, directory: Path, **more: Path) -> list[Event]:
    return list(Training(config, directory, device="cpu", data_root=directory, **more))


def blobs(directory: Path, step: int) -> dict[str, bytes]:
    saved = checkpoint.open_folder(checkpoint.folder(directory, step))
    return {name: saved.read(name) for name in saved.state["files"]}


def of_kind(events: list[Event], kind: type) -> list[Event]:
    return [e for e in events if isinstance(e, kind)]


def test_a_run_tells_its_whole_story(tmp_path: Path) -> None:
    events = run(tiny("training.sample_every=4"), tmp_path)
    assert isinstance(events[0], Started)
    assert events[0].dataset_size == 1797
    assert [e.step for e in of_kind(events, Metrics)] == [3, 4, 6, 8]  # type: ignore[union-attr]
    assert [e.step for e in of_kind(events, CheckpointWritten)] == [4, 8]  # type: ignore[union-attr]
    assert [e.step for e in of_kind(events, SamplesWritten)] == [4, 8]  # type: ignore[union-attr]
    assert events[-1] == Ended("finished", 8, 128)
    text = read_png_text(tmp_path / "samples/00000008.png")
    assert '"step": 8' in text["Settings"]
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.parametrize(
    "settings",
    [
        (),
        ("training.accumulation=4", "training.decay=cosine", "data.crop=2"),
        ("diffusion.variance=learned_range", "diffusion.prediction=v", "training.weighting=min_snr"),
        (  # few timesteps, so that by step 4 they are drawn by their losses
            "diffusion.variance=learned_range", "training.objective=vlb", "diffusion.timesteps=2",
            "sampling.steps=2", "training.accumulation=2",
        ),
        ("training.precision=bfloat16",),
    ],
)  # fmt: skip
def test_resume_is_exact_to_the_byte(tmp_path: Path, settings: tuple[str, ...]) -> None:
    """2N steps, and N, stop, N more, in the same bytes: weights, average, optimiser, dropout and all."""
    config = tiny(*settings)
    run(config, tmp_path / "whole")
    torch.manual_seed(123)  # what happened to torch's generator in between is of no account
    first = Training(config, tmp_path / "parts", device="cpu", data_root=tmp_path)
    for event in first:
        if isinstance(event, CheckpointWritten):
            first.stop()
    assert isinstance(event, Ended)
    assert (event.status, event.step) == ("stopped", 4)
    second = run(config, tmp_path / "parts")
    assert second[0].step == 4  # type: ignore[union-attr]
    assert blobs(tmp_path / "whole", 8) == blobs(tmp_path / "parts", 8)


def test_what_auto_meant_when_a_run_began_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "has_bfloat16", lambda device: True)
    monkeypatch.setattr(devices, "bfloat16_pays", lambda device: False)
    first = of_kind(run(tiny("training.precision=auto", "training.steps=4"), tmp_path), Started)[0]
    monkeypatch.setattr(devices, "bfloat16_pays", lambda device: True)  # measured anew in another minute
    then = of_kind(run(tiny("training.precision=auto", "training.steps=8"), tmp_path), Started)[0]
    other = of_kind(run(tiny("training.precision=auto", "training.steps=4"), tmp_path / "other"), Started)[0]
    assert [event.precision for event in (first, then, other)] == ["float32", "float32", "bfloat16"]


def test_another_seed_ends_elsewhere(tmp_path: Path) -> None:
    run(tiny("training.steps=2"), tmp_path / "a")
    run(tiny("training.steps=2", "training.seed=1"), tmp_path / "b")
    assert blobs(tmp_path / "a", 2) != blobs(tmp_path / "b", 2)


def test_accumulation_changes_rounding_alone(tmp_path: Path) -> None:
    plain = tiny("model.dropout=0", "training.steps=4", "training.log_every=1")
    series = []
    for name, parts in (("a", 1), ("b", 4)):
        config = override(plain, [f"training.accumulation={parts}"])
        found = of_kind(run(config, tmp_path / name), Metrics)
        series.append([(e.loss, e.gradient_norm) for e in found])  # type: ignore[union-attr]
    for one, other in zip(*series, strict=True):
        assert one == pytest.approx(other, rel=1e-4)


def test_a_finished_run_can_be_extended(tmp_path: Path) -> None:
    run(tiny("training.steps=4"), tmp_path / "extended")
    run(tiny("training.steps=8"), tmp_path / "extended")
    run(tiny("training.steps=8"), tmp_path / "whole")
    assert blobs(tmp_path / "whole", 8) == blobs(tmp_path / "extended", 8)


def test_the_loss_falls(tmp_path: Path) -> None:
    settings = [
        "training.steps=60",
        "training.log_every=20",
        "training.checkpoint_every=1000",
        "model.dropout=0",
    ]
    losses = [e.loss for e in of_kind(run(tiny(*settings), tmp_path), Metrics)]  # type: ignore[union-attr]
    assert losses[-1] < 0.75 * losses[0]


def test_the_last_checkpoints_and_every_milestone_stay(tmp_path: Path) -> None:
    config = tiny("training.checkpoint_every=2", "training.keep_checkpoints=1", "training.milestone_every=3")
    events = run(config, tmp_path)
    assert checkpoint.steps(tmp_path) == [3, 6, 8]
    assert [e.step for e in of_kind(events, CheckpointRemoved)] == [2, 4]  # type: ignore[union-attr]


def test_a_torn_last_checkpoint_is_not_loaded(tmp_path: Path) -> None:
    run(tiny(), tmp_path)
    before = blobs(tmp_path, 8)
    path = checkpoint.folder(tmp_path, 8) / "ema.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    events = run(tiny(), tmp_path)
    assert isinstance(events[0], Notice)
    assert "00000008: ema.safetensors is cut short" in events[0].text
    assert events[1].step == 4  # type: ignore[union-attr]
    assert blobs(tmp_path, 8) == before  # made again, the same


def test_a_run_whose_checkpoints_are_all_torn_does_not_start_over(tmp_path: Path) -> None:
    run(tiny(), tmp_path)
    for file in tmp_path.rglob("model.safetensors"):
        file.write_bytes(b"")
    with pytest.raises(EngineError, match="no checkpoint of this run can be read"):
        run(tiny(), tmp_path)


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 255
    path.write_bytes(content)


def test_a_damaged_checkpoint_of_the_right_length_is_put_aside_and_made_again(tmp_path: Path) -> None:
    run(tiny(), tmp_path)
    before = blobs(tmp_path, 8)
    damage(checkpoint.folder(tmp_path, 8) / "ema.safetensors")
    events = run(tiny(), tmp_path)
    assert isinstance(events[0], Notice)
    assert "damaged" in events[0].text
    assert events[1] == CheckpointRemoved(8)
    assert events[2].step == 4  # type: ignore[union-attr]
    assert blobs(tmp_path, 8) == before


def test_a_run_without_any_readable_checkpoint_does_not_start_over_in_silence(tmp_path: Path) -> None:
    run(tiny("training.steps=4"), tmp_path)
    damage(checkpoint.folder(tmp_path, 4) / "model.safetensors")
    for _ in range(2):
        with pytest.raises(EngineError, match="no checkpoint of this run can be read"):
            run(tiny(), tmp_path)


def test_checkpoints_of_another_network_are_refused_and_kept(tmp_path: Path) -> None:
    run(tiny(), tmp_path)
    with pytest.raises(EngineError, match="does not fit this network"):
        run(tiny("model.channels=16"), tmp_path)
    assert checkpoint.steps(tmp_path) == [4, 8]


def test_a_checkpoint_without_the_optimisers_tensors_is_one_clear_line(tmp_path: Path) -> None:
    run(tiny("training.steps=4"), tmp_path)
    saved = checkpoint.open_folder(checkpoint.folder(tmp_path, 4))
    content = {name: saved.read(name) for name in saved.state["files"]}
    content["training_state.safetensors"] = content["model.safetensors"]
    checkpoint.write(tmp_path, content, {"step": 4, "images_seen": 64})
    with pytest.raises(EngineError, match="not of this training"):
        run(tiny(), tmp_path)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried …"),
        RuntimeError("MPS backend out of memory"),
    ],
)
def test_memory_that_runs_out_is_one_clear_line(tmp_path: Path, error: Exception) -> None:
    trained = Training(tiny(), tmp_path, device="cpu", data_root=tmp_path)

    def exhausted(*_: torch.Tensor) -> torch.Tensor:
        raise error

    trained._loss = exhausted  # type: ignore[method-assign]
    with pytest.raises(EngineError, match=r"out of memory on cpu.*training\.batch_size"):
        list(trained)


def test_data_that_changed_since_is_told(tmp_path: Path) -> None:
    run(tiny("training.steps=4"), tmp_path)
    saved = checkpoint.open_folder(checkpoint.folder(tmp_path, 4))
    content = {name: saved.read(name) for name in saved.state["files"]}
    checkpoint.write(tmp_path, content, {**saved.state, "dataset_size": 1000})
    events = run(tiny(), tmp_path)
    assert isinstance(events[0], Notice)
    assert "1000 images, now it has 1797" in events[0].text


def test_a_loss_that_is_not_finite_stops_the_run_unsaved(tmp_path: Path) -> None:
    config = tiny("training.learning_rate=1", "training.gradient_clip=1e30", "training.warmup_steps=0",
                  "training.steps=300", "training.checkpoint_every=50", "training.log_every=10")  # fmt: skip
    trained = Training(config, tmp_path, device="cpu", data_root=tmp_path)
    original = trained._loss

    def poisoned(*drawn: torch.Tensor) -> torch.Tensor:
        return original(*drawn) * (float("nan") if trained.step == 12 else 1.0)

    trained._loss = poisoned  # type: ignore[method-assign]
    events: list[Event] = []
    with pytest.raises(EngineError, match=r"not finite at step 20.*learning_rate"):
        events.extend(trained)
    assert checkpoint.steps(tmp_path) == []


def test_a_stop_after_a_bad_loss_saves_nothing_either(tmp_path: Path) -> None:
    trained = Training(tiny("training.log_every=100"), tmp_path, device="cpu", data_root=tmp_path)
    original = trained._loss

    def poisoned(*drawn: torch.Tensor) -> torch.Tensor:
        trained.stop()
        return original(*drawn) * float("inf")

    trained._loss = poisoned  # type: ignore[method-assign]
    with pytest.raises(EngineError, match="not finite"):
        list(trained)
    assert checkpoint.steps(tmp_path) == []


def test_starting_from_another_runs_weights(tmp_path: Path) -> None:
    run(tiny("training.steps=4"), tmp_path / "parent")
    start = checkpoint.folder(tmp_path / "parent", 4)
    child = Training(tiny(), tmp_path / "child", device="cpu", data_root=tmp_path, start_from=start)
    events = iter(child)
    started = next(events)
    assert isinstance(started, Started)
    assert started.step == 0  # weights are taken over, not the clock
    averaged = checkpoint.open_folder(start).read("ema.safetensors")
    assert (
        weights.to_bytes(child._network)
        == weights.to_bytes(child._averages["ema.safetensors"].network)
        == averaged
    )


def test_weights_of_another_network_are_refused_in_one_line(tmp_path: Path) -> None:
    run(tiny("training.steps=4"), tmp_path / "parent")
    start = checkpoint.folder(tmp_path / "parent", 4)
    with pytest.raises(EngineError, match="does not fit this network") as caught:
        run(tiny("model.channels=16"), tmp_path / "child", start_from=start)
    assert "\n" not in str(caught.value)


def test_another_batch_size_cannot_go_on(tmp_path: Path) -> None:
    run(tiny("training.steps=4"), tmp_path)
    with pytest.raises(EngineError, match=r"training\.batch_size"):
        run(tiny("training.batch_size=8"), tmp_path)
