"""How long an evaluation will take is asked of a process with torch, after what can be told without."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddpm.config import EvaluationConfig, SamplingConfig
from ddpm.configfiles import ConfigError
from runs import engine, estimating, home
from runs.directory import RunDirectory
from runs.errors import RunError
from runs.estimating import Estimate, UnknownTimeError, estimate
from runs.home import Home
from tests.runs.processes import add_checkpoint, make

STEPS = SamplingConfig(steps=2)


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for name in ("DDPM_INCEPTION", "DDPM_DATA"):
        monkeypatch.delenv(name, raising=False)
    return home.find(str(tmp_path / "home"))


@pytest.fixture
def parent(at: Home) -> RunDirectory:
    run = make(at, "parent")
    add_checkpoint(run, 10)
    return run


def test_what_would_be_refused_is_refused_before_any_process_starts(
    at: Home, parent: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimating, "answers", None)
    with pytest.raises(ConfigError, match=r"evaluation\.weights: /nowhere does not exist"):
        estimate(at, parent, None, EvaluationConfig(weights="/nowhere"), STEPS)
    with pytest.raises(RunError, match="no whole checkpoint of step 5; there are: 10"):
        estimate(at, parent, 5, EvaluationConfig(), STEPS)
    with pytest.raises(RunError, match="is a sample run: only trainings"):
        estimate(at, make(at, "samples", kind="sample"), None, EvaluationConfig(), STEPS)
    with pytest.raises(ConfigError, match=r"sampling\.steps: 2000 is above"):
        estimate(at, parent, None, EvaluationConfig(), SamplingConfig(steps=2000))


def test_the_parts_are_added_up(at: Home, parent: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answers(module: str, *arguments: str) -> engine.Generator[dict[str, object], None, None]:
        asked.extend((module, *arguments))
        parts = {"sampling_seconds": 1.5, "feature_seconds": 2.0, "reference_seconds": 4.0}
        yield {**parts, "reference_images": 10, "device": "cpu"}

    monkeypatch.setattr(estimating, "answers", answers)
    found = estimate(at, parent, None, EvaluationConfig(samples=7), STEPS, device="cpu")
    assert found == Estimate(7.5, 1.5, 2.0, 4.0, 10, "cpu")
    assert asked[:2] == ["ddpm.evaluation.estimate", str(parent.path / "checkpoints" / "00000010")]
    assert f"--data-root={at.datasets}" in asked
    assert f"--references={at.references}" in asked
    assert f"--weights-folder={at.weights}" in asked
    (config,) = (text for text in asked if text.startswith("--config="))
    assert '"count":7' in config
    assert not any(text.startswith("--weights=") for text in asked)


@pytest.mark.slow
def test_the_process_is_asked_for_real(
    at: Home, parent: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(UnknownTimeError, match="weights are not on this machine"):
        estimate(at, parent, None, EvaluationConfig(samples=4), STEPS, device="cpu")
    (tmp_path / "wrong.pth").write_bytes(b"none")
    with pytest.raises(RunError) as caught:  # the checkpoint is none either
        estimate(at, parent, 10, EvaluationConfig(weights=str(tmp_path / "wrong.pth")), STEPS, device="cpu")
    assert not isinstance(caught.value, UnknownTimeError)
    assert len(str(caught.value).splitlines()) == 1
