"""How often an evaluation tells how far it has come."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ddpm import subject
from ddpm.evaluation import pace
from ddpm.evaluation.pace import Pace
from ddpm.events import Evaluating
from tests.ddpm.test_training import tiny


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: now[0])
    return now


def test_the_first_the_last_and_one_a_second(trained: Path, clock: list[float]) -> None:
    source = subject.from_checkpoint(trained, tiny(), torch.device("cpu"))
    stage, told = Pace(source, "samples"), list[Evaluating]()
    for seconds, done in ((0, 5), (0.9, 6), (1.1, 7), (1.5, 8), (1.6, 10), (1.7, 10), (9, 10)):
        clock[0] = 100.0 + seconds
        told += stage.told(done, 10)
    assert [(e.done, e.seconds) for e in told] == [(5, 0), (7, 1.1), (10, 1.6), (10, 9)]
    assert told[0] == Evaluating(20, 320, "samples", 5, 10, 0.0)


def test_no_work_is_not_told_of(trained: Path) -> None:
    source = subject.from_checkpoint(trained, tiny(), torch.device("cpu"))
    assert not list(Pace(source, "reference").told(0, 0))
