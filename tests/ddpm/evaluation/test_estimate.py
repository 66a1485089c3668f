"""The time an evaluation takes, measured beforehand: what is counted, and what cannot be told yet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from ddpm import subject
from ddpm.evaluation import estimate
from ddpm.evaluation.estimate import UnknownError, feature_seconds, measure, step_seconds
from ddpm.evaluation.places import Places
from ddpm.training import Training
from tests.ddpm.evaluation.judging import Projection, places, settings

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint's folder."""
    path = tmp_path_factory.mktemp("trained")
    list(Training(settings(), path, device="cpu", data_root=path))
    return max((path / "checkpoints").iterdir())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Stands still but for what is added to it."""
    now = [0.0]
    monkeypatch.setattr(estimate.time, "monotonic", lambda: now[0])
    return now


def test_steps_are_measured_in_batches_large_enough_to_tell(
    trained: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []

    def draw(network: object, config: object, images: range, **_: object) -> Iterator[object]:
        for _step in range(2):
            sizes.append(len(images))
            clock[0] += 0.005 * len(images)
            yield SimpleNamespace(x_t=torch.zeros(1))

    monkeypatch.setattr(subject, "draw", draw)
    source = subject.from_checkpoint(trained, settings(), CPU)
    assert step_seconds(source, settings("sampling.batch_size=256")) == pytest.approx(0.005)
    assert sizes == [8] * 3 + [32] * 3 + [70] * 3  # no more than the 70 images that are wanted
    sizes.clear()
    assert step_seconds(source, settings("sampling.batch_size=4")) == pytest.approx(0.005)
    assert sizes == [4] * 3


def test_of_an_evaluation_of_one_step_there_is_a_step_to_measure(trained: Path) -> None:
    config = settings("sampling.steps=1")
    assert step_seconds(subject.from_checkpoint(trained, config, CPU), config) > 0


def test_features_are_measured_without_the_first_time(clock: list[float]) -> None:
    costs = iter((100.0, 4.0))

    def before(images: torch.Tensor) -> None:
        clock[0] += next(costs)

    assert feature_seconds(Projection(before=before), settings(), CPU, 70) == pytest.approx(4.0 / 8)


def test_no_more_features_are_measured_than_the_evaluation_needs() -> None:
    sizes: list[int] = []
    network = Projection(before=lambda images: sizes.append(len(images)))
    feature_seconds(network, settings(), CPU, 2)
    assert sizes == [1, 2]


def test_what_has_to_be_downloaded_first_is_told(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimate, "find_weights", lambda folder: None)
    with pytest.raises(
        UnknownError, match="FID Inception weights are not on this machine; the run will first"
    ):
        measure(settings(), trained, places(tmp_path), "cpu")
    monkeypatch.setattr(estimate, "find_weights", lambda folder: tmp_path / "weights.pth")
    config = settings("data.dataset=mnist", "evaluation.reference=test")
    with pytest.raises(
        UnknownError, match=r"the data set mnist is not in .*/data; the run will first download"
    ):
        measure(config, trained, places(tmp_path), "cpu")


def told(trained: Path, folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, object]:
    paths = [f"--{key}={folder / key}" for key in ("data-root", "weights-folder", "references")]
    config = settings().model_dump_json()
    status = estimate.main([str(trained), "--config", config, "--device", "cpu", *paths, *options])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    found: dict[str, object] = json.loads(lines[0])
    assert status == ("error" in found)
    return found


def test_the_command_tells_in_one_object_what_the_evaluation_would_fail_by(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert "unknown" in told(trained, tmp_path, capsys)
    wrong = tmp_path / "wrong.pth"
    wrong.write_bytes(b"none")
    assert told(trained, tmp_path, capsys, f"--weights={wrong}")["error"] == (
        f"{wrong} is not a file of weights: nothing could be read from it"
    )
    gone = told(tmp_path / "gone", tmp_path, capsys, f"--weights={wrong}")["error"]
    assert str(tmp_path / "gone") in str(gone)
    assert "cuda:99" in str(told(trained, tmp_path, capsys, "--device=cuda:99")["error"])


@pytest.mark.real_data
def test_all_parts_are_measured(trained: Path, real_data: Path, tmp_path: Path) -> None:
    weights = real_data / "inception" / "pt-inception-trunk.pth"
    known = Places(tmp_path, weights, tmp_path, tmp_path / "references")
    found = measure(settings(), trained, known, "cpu")
    assert found.reference_images == 1797  # all of digits, whose statistics do not come along
    assert found.reference_seconds == pytest.approx(found.feature_seconds * 1797 / 70)
    assert found.sampling_seconds > 0
    assert found.device == "cpu"
    assert not (tmp_path / "references").exists()
