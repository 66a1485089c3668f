"""Training: learning, exact resume, keeping checkpoints, and what stops it."""

from pathlib import Path

import pytest
import torch

from ddpm import checkpoint, training
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


@pytest.mark.parametrize("settings", [(), ("training.accumulation=4", "training.decay=cosine")])
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


def test_another_seed_ends_elsewhere(tmp_path: Path) -> None:
    run(tiny("training.steps=2"), tmp_path / "a")
    run(tiny("training.steps=2", "training.seed=1"), tmp_path / "b")
    assert blobs(tmp_path / "a", 2) != blobs(tmp_path / "b", 2)


def test_accumulation_changes_rounding_alone(tmp_path: Path) -> None:
    plain = tiny("model.dropout=0", "data.flip=false", "training.steps=1")
    losses = []
    for name, parts in (("a", 1), ("b", 2)):
        config = override(plain, [f"training.accumulation={parts}"])
        losses.append(of_kind(run(config, tmp_path / name), Metrics)[0].loss)  # type: ignore[union-attr]
    # Noise is drawn part by part, so the losses are of the same images under other noise.
    assert losses[0] == pytest.approx(losses[1], rel=0.2)


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
    config = tiny("training.checkpoint_every=1", "training.keep_checkpoints=2", "training.milestone_every=3")
    events = run(config, tmp_path)
    assert checkpoint.steps(tmp_path) == [3, 6, 7, 8]
    assert [e.step for e in of_kind(events, CheckpointRemoved)] == [1, 2, 4, 5]  # type: ignore[union-attr]


def test_a_torn_last_checkpoint_is_not_loaded(tmp_path: Path) -> None:
    run(tiny(), tmp_path)
    before = blobs(tmp_path, 8)
    path = checkpoint.folder(tmp_path, 8) / "ema.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    events = run(tiny(), tmp_path)
    assert events[0].step == 4  # type: ignore[union-attr]
    assert blobs(tmp_path, 8) == before  # made again, the same


def test_a_damaged_checkpoint_of_the_right_length_is_named_and_passed_over(tmp_path: Path) -> None:
    run(tiny(), tmp_path)
    path = checkpoint.folder(tmp_path, 8) / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-5] ^= 255
    path.write_bytes(content)
    events = run(tiny(), tmp_path)
    assert isinstance(events[0], Notice)
    assert "damaged" in events[0].text
    assert events[1].step == 4  # type: ignore[union-attr]


def test_a_loss_that_is_not_finite_stops_the_run_unsaved(tmp_path: Path) -> None:
    config = tiny("training.learning_rate=1", "training.gradient_clip=1e30", "training.warmup_steps=0",
                  "training.steps=300", "training.checkpoint_every=50", "training.log_every=10")  # fmt: skip
    trained = Training(config, tmp_path, device="cpu", data_root=tmp_path)
    original = trained._loss

    def poisoned(indices: torch.Tensor) -> torch.Tensor:
        return original(indices) * (float("nan") if trained.step == 12 else 1.0)

    trained._loss = poisoned  # type: ignore[method-assign]
    events: list[Event] = []
    with pytest.raises(EngineError, match=r"not finite at step 20.*learning_rate"):
        events.extend(trained)
    assert checkpoint.steps(tmp_path) == []


def test_a_stop_after_a_bad_loss_saves_nothing_either(tmp_path: Path) -> None:
    trained = Training(tiny("training.log_every=100"), tmp_path, device="cpu", data_root=tmp_path)
    original = trained._loss

    def poisoned(indices: torch.Tensor) -> torch.Tensor:
        trained.stop()
        return original(indices) * float("inf")

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
    parent = checkpoint.open_folder(start)
    assert training.safetensors.torch.save(training.weights(child._network)) == parent.read(
        "model.safetensors"
    )
    assert training.safetensors.torch.save(training.weights(child._ema.network)) == parent.read(
        "ema.safetensors"
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
