"""Following a run to its end, where the end comes at an awkward moment."""

import os
from pathlib import Path

import pytest

from runs.catalogue import Catalogue
from runs.cli.following import conclude, follow
from runs.cli.interrupts import Interrupts
from runs.directory import take_lock
from runs.home import find
from runs.rows import RunDetail
from tests.runs.cli.command import START, record


def test_an_interrupt_as_the_run_ends_is_harmless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = find(str(tmp_path))
    run = record(home, "run")
    lock = take_lock(run.path)
    with Interrupts() as interrupts, Catalogue(home) as catalogue:
        catalogue.sync()
        seen: list[RunDetail] = []
        detail = catalogue.detail

        def ends_once_seen(run_id: int) -> RunDetail:
            seen.append(detail(run_id))
            if len(seen) == 2:
                os.close(lock)
            return seen[-1]

        monkeypatch.setattr(catalogue, "detail", ends_once_seen)
        interrupts.count = 1
        assert follow(catalogue, catalogue.find("1"), interrupts, stoppable=run).row.status == "finished"
    assert [found.row.status for found in seen] == ["running", "running", "finished"]
    assert not (run.path / "stop").exists()


def test_the_path_of_samples_is_shown_literally(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    home = find(str(tmp_path / "\x1b[31m"))
    run = record(home, "run")
    told = {"step": 10, "images_seen": 1, "count": 1, "seed": 0, "sampler": "ddim", "sampler_steps": 1}
    run.append_event({"event": "samples_written", "time": START, "path": "samples/\x1b[2J.png", **told})
    run.append_event({"event": "ended", "time": START, "status": "finished", "step": 10, "images_seen": 1})
    with Catalogue(home) as catalogue:
        catalogue.sync()
        assert conclude(catalogue.detail(1), show=True, program="x") == 0
    out = capsys.readouterr().out
    assert "Its samples: " in out
    assert "\x1b" not in out
