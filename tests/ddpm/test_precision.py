"""The measurement that decides between bfloat16 and float32 on a processor."""

import json
from pathlib import Path

import pytest
import torch

from ddpm import precision


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "ddpm-tui"


def times(monkeypatch: pytest.MonkeyPatch, float32: float, bfloat16: float) -> list[str]:
    """Has the steps take so long; the list grows when they are measured."""
    asked = []

    def seconds() -> dict[torch.dtype, float]:
        asked.append("measured")
        return {torch.float32: float32, torch.bfloat16: bfloat16}

    monkeypatch.setattr(precision, "step_seconds", seconds)
    return asked


@pytest.mark.parametrize(("bfloat16", "wins"), [(0.5, True), (0.95, False), (2.0, False)])
def test_it_must_win_clearly(
    bfloat16: float, wins: bool, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times(monkeypatch, 1.0, bfloat16)
    assert precision.bfloat16_wins() is wins


def test_the_answer_of_a_machine_is_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = times(monkeypatch, 1.0, 0.5)
    assert precision.bfloat16_wins()
    assert len(asked) == 1
    times(monkeypatch, 1.0, 5.0)  # a busy minute later
    assert precision.bfloat16_wins()
    (kept,) = cache.glob("precision-*.json")
    assert json.loads(kept.read_text())["seconds"] == {"float32": 1.0, "bfloat16": 0.5}


@pytest.mark.parametrize("damaged", ["", "[1]", '{"bfloat16": "yes"}'])
def test_what_is_damaged_is_measured_anew(damaged: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times(monkeypatch, 1.0, 0.5)
    precision.bfloat16_wins()
    (kept,) = cache.glob("precision-*.json")
    kept.write_text(damaged)
    asked = times(monkeypatch, 1.0, 2.0)
    assert not precision.bfloat16_wins()
    assert len(asked) == 1


def test_where_nothing_can_be_kept_it_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    times(monkeypatch, 1.0, 0.5)
    assert precision.bfloat16_wins()


def test_the_real_measurement_draws_nothing_of_the_generator() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    assert all(seconds > 0 for seconds in precision.step_seconds().values())
    assert torch.equal(torch.rand(4), expected)
