from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ddpm.configfiles import override
from runs import home, preflight
from runs.directory import take_lock
from runs.home import Home
from tests.runs.processes import make, tiny


@pytest.fixture
def at(tmp_path: Path) -> Home:
    return home.find(str(tmp_path / "home"))


def test_nothing_to_warn_of(at: Home) -> None:
    make(at, "ended")
    assert preflight.warnings(at, tiny(), "cpu") == []


def test_what_draws_badly_is_told(at: Home) -> None:
    (line,) = preflight.warnings(at, override(tiny(), ["sampling.sampler=heun"]), "cpu")
    assert line.startswith("sampling.spacing: heun strides too far in sigma on uniform timesteps")
    suited = override(tiny(), ["sampling.sampler=heun", "sampling.spacing=log_snr"])
    assert preflight.warnings(at, suited, "cpu") == []


def test_a_device_on_which_others_run_is_busy(at: Home) -> None:
    locks = [take_lock(make(at, name).path) for name in ("a", "b")]
    assert preflight.warnings(at, tiny(), "cpu") == [
        "cpu is busy: a (#1), b (#2) run on it; each will be slower (--after 2 begins when that has ended)"
    ]
    assert preflight.warnings(at, tiny(), "cpu", trains=False) == [
        "cpu is busy: a (#1), b (#2) run on it; each will be slower"
    ]
    assert preflight.warnings(at, tiny(), "cpu", after=make(at, "c")) == []
    assert preflight.warnings(at, tiny(), "cuda:7") == []
    for lock in locks:
        os.close(lock)
    assert preflight.warnings(at, tiny(), "cpu") == []


def test_who_waits_keeps_no_device_busy(at: Home) -> None:
    first = make(at, "a")
    second = make(at, "b", after=first.path)
    locks = [take_lock(run.path) for run in (first, second)]
    assert preflight.warnings(at, tiny(), "cpu") == [
        "cpu is busy: a (#1) runs on it; each will be slower (--after 2 begins when that has ended)"
    ]
    assert preflight.warnings(at, tiny(), "cpu", after=first) == [
        "b (#2) waits for a (#1) as well, and will begin at the same time "
        "(--after 2 begins when that has ended)"
    ]
    assert preflight.warnings(at, tiny(), "cpu", after=second) == []
    for lock in locks:
        os.close(lock)


def test_names_of_devices_mean_the_same_device() -> None:
    assert preflight.resolve("cuda") == "cuda:0"
    assert preflight.resolve(" CUDA:1 ") == "cuda:1"
    assert preflight.resolve("cpu") == "cpu"
    assert preflight.resolve("mps") == "mps"
    assert preflight.resolve("auto") in ("cpu", "mps", "cuda:0")


def test_bytes_of_checkpoints() -> None:
    """A real checkpoint of this network has 724,184 bytes, of which some are its state."""
    one = preflight.checkpoint_bytes(tiny("training.steps=20")) // 3
    assert 0.9 < one / 724_184 < 1
    with_milestones = tiny("training.steps=100", "training.milestone_every=20", "training.keep_checkpoints=1")
    assert preflight.checkpoint_bytes(with_milestones) == one * (1 + 1 + 5)


def test_a_disk_that_is_too_small_is_told(at: Home) -> None:
    free = shutil.disk_usage(at.path).free
    config = tiny(
        "model.channels=1024",
        "model.multipliers=1,16",
        "training.milestone_every=1",
        "training.steps=1000000",
    )
    assert preflight.checkpoint_bytes(config) > free
    [line] = preflight.warnings(at, config, "cpu")
    assert line.startswith("the disk will not hold the checkpoints: they take ")
    assert line.endswith(" are free")


def test_a_disk_that_is_too_small_for_the_features_is_told(at: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert preflight.feature_bytes(50_000) == 409_600_000  # 2048 float32 numbers of each image
    usage = shutil.disk_usage(at.path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=300_000_000))
    assert preflight.warnings(at, tiny(), "cpu", trains=False, features=30_000) == []
    assert preflight.warnings(at, tiny(), "cpu", trains=False, features=50_000) == [
        "the disk will not hold the features: they take 410 MB, 300 MB are free"
    ]
    judging = tiny("evaluation.every=10", "evaluation.samples=50000", "evaluation.weights=/some.pth")
    [line] = preflight.warnings(at, judging, "cpu")
    assert line.startswith("the disk will not hold the checkpoints and features: they take 412 MB")
    assert preflight.warnings(at, tiny("evaluation.samples=50000"), "cpu") == []


def test_a_training_that_is_to_judge_itself_without_weights_is_warned_of(
    at: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("DDPM_INCEPTION", raising=False)
    judging = tiny("evaluation.every=10")
    [line] = preflight.warnings(at, judging, "cpu")
    assert line.startswith(
        "the FID Inception weights are not on this machine: the training will download them"
    )
    assert preflight.warnings(at, tiny(), "cpu") == []
    found = tmp_path / "torch" / "hub" / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth"
    found.parent.mkdir(parents=True)
    found.touch()
    assert preflight.warnings(at, judging, "cpu") == []
    found.rename(at.path / "weights.pth")
    monkeypatch.setenv("DDPM_INCEPTION", str(at.path / "weights.pth"))
    assert preflight.warnings(at, judging, "cpu") == []


@pytest.mark.slow
def test_devices_are_asked_of_a_process_with_torch() -> None:
    found = preflight.devices()
    assert found[-1]["name"] == "cpu"
    assert found[-1]["memory_total"] > 0
    assert preflight.devices() is found
