"""The table of restorations: it can be stopped and continued, and says what is best."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import restoration
from tests.ddpm.test_training import run, tiny


def test_the_table_names_the_best_of_a_task() -> None:
    quality = {"psnr": 10.0, "ssim": 0.5, "milliseconds": 1.0}
    record = {
        "title": "noise",
        "methods": {
            "input": quality,
            "classical": {**quality, "name": "median 3", "psnr": 21.0},
            "ddrm": {**quality, "psnr": 20.0, "ssim": None},
        },
        "mean": {"of": 4, "images": 2, "psnr": 21.5, "single_psnr": 20.25},
    }
    *_, row = restoration.table([record]).splitlines()
    assert row == "| noise | 10.00 / 0.500 | **21.00** / 0.500 (median 3) |  | 20.00 | +1.25 dB |"


def test_what_is_done_is_not_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ddpm import data

    images = data.load(tiny().data, tmp_path).images
    monkeypatch.setattr(restoration.data, "load", lambda *_: data.ImageSet(images[:6], None))
    trained = tmp_path / "trained"
    run(tiny("training.steps=10", "training.checkpoint_every=100"), trained)
    (trained / "config.toml").write_text(restoration.configfiles.dumps(tiny()))
    arguments = [
        "restoration",
        str(trained),
        str(tmp_path),
        "--keep",
        str(tmp_path / "keep"),
        "--images",
        "5",
    ]
    monkeypatch.setattr(sys, "argv", [*arguments, "--only", "denoise-20", "--samples", "2"])
    restoration.main()
    first = capsys.readouterr()
    assert first.out.count("| noise σ 0.2 |") == 1
    assert (tmp_path / "keep" / "denoise-20.png").exists()
    restoration.main()
    again = capsys.readouterr()
    assert again.out == first.out
    assert again.err == ""
