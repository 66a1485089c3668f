"""The benchmark of denoisers, with trainings of two steps: what it tells, keeps and does again."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import noise2same
from tests.ddpm.writers import write_mnist

TINY = ("model.channels=8", "model.multipliers=1", "training.batch_size=4", "training.log_every=1")


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Starts it on a small data set; gives what it wrote into its file."""
    write_mnist(tmp_path / "data" / "MNIST" / "raw")

    def start(*more: str) -> Any:
        paths = ("--data", tmp_path / "data", "--work", tmp_path / "work", "--json", tmp_path / "found.json")
        arguments = [*paths, "--steps", "2", "--images", "3", *more, "--set", *TINY]
        monkeypatch.setattr(sys, "argv", ["noise2same", *map(str, arguments)])
        noise2same.main()
        return json.loads((tmp_path / "found.json").read_text())

    return start


def test_it_tells_every_objective_and_the_gap_to_clean_images(
    started: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    found = started("--seeds", "2")
    assert [(row["noise"], row["objective"], row["seeds"]) for row in found["summary"]] == [
        (kind, objective, 2) for kind in ("hanzi", "gaussian") for objective in noise2same.OBJECTIVES
    ]
    runs = {(r["noise"], r["objective"], r["seed"]): r["psnr"] for r in found["runs"]}
    gaps = [runs["hanzi", "noise2same", seed] - runs["hanzi", "supervised", seed] for seed in (0, 1)]
    row = next(r for r in found["summary"] if (r["noise"], r["objective"]) == ("hanzi", "noise2same"))
    assert row["gap"] == pytest.approx(statistics.mean(gaps))
    assert row["gap_spread"] == pytest.approx(statistics.stdev(gaps))
    assert found["inputs"][0]["psnr"] < found["inputs"][1]["psnr"]  # the noise of hanzi is the stronger one
    table = capsys.readouterr().out
    assert "gaussian, 3 test images" in table
    assert f"{row['psnr']:.2f}" in table


def test_what_is_there_is_not_done_again(started: Any, tmp_path: Path) -> None:
    first = started("--seeds", "1", "--noise", "hanzi")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "work").rglob("*") if path.is_file()}
    second = started("--seeds", "2", "--noise", "hanzi")
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    assert [run for run in second["runs"] if run["seed"] == 0] == first["runs"]
    assert first["summary"][0]["gap_spread"] is None  # of one seed
