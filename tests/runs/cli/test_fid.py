"""`ddpm-tui fid A B`: a small table, JSON with `fid` at the top, one line for what is wrong, and Ctrl-C."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from runs.cli import fid
from runs.cli.main import main
from tests.runs.cli.command import call
from tests.runs.cli.terminal import Terminal

RANDOM = np.random.default_rng(0)


def features(path: Path, count: int, seed: int = 0) -> Path:
    np.save(path, np.random.default_rng(seed).standard_normal((count, 6)).astype(np.float32))
    return path


def statistics(path: Path) -> Path:
    rows = np.random.default_rng(2).standard_normal((50, 6))
    np.savez(path, mu=rows.mean(0), sigma=np.cov(rows, rowvar=False))
    return path


def images(folder: Path, array: np.ndarray) -> Path:
    folder.mkdir()
    for index, image in enumerate(array):
        Image.fromarray(image).save(folder / f"{index:02}.png")
    return folder


def test_a_small_table(tmp_path: Path) -> None:
    one, other = features(tmp_path / "a.npy", 200), features(tmp_path / "b.npy", 150, seed=1)
    done = call(tmp_path / "home", "fid", str(one), str(other))
    assert done.returncode == 0, done.stderr
    title, blank, *rows = done.stdout.splitlines()
    assert title == f"{one} against {other}"
    assert blank == ""
    assert [row.split()[0] for row in rows] == [
        "FID",
        "KID",
        "precision",
        "recall",
        "density",
        "coverage",
        "images",
    ]
    assert rows[0].endswith("  the files do not say by which convention")
    assert "±" in rows[1]
    assert rows[-1].endswith("  200 against 150")
    assert "note: " in done.stderr
    assert "reading" in done.stderr


def test_json_has_fid_at_the_top(tmp_path: Path) -> None:
    one, other = features(tmp_path / "a.npy", 200), statistics(tmp_path / "b.npz")
    done = call(tmp_path / "home", "fid", str(other), str(one), "--json", "--convention", "pytorch-fid")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["fid"] > 0
    assert result["kid"] is None
    assert result["convention"] == "pytorch-fid"
    assert result["subject"]["name"] == str(one)
    assert result["reference"] == {"name": str(other), "kind": "statistics", "images": None, "size": None}
    assert result["protocol_id"]
    assert result["notes"]
    assert "note" not in done.stderr


def mixed(folder: Path) -> tuple[str, str]:
    samples = images(folder / "samples", RANDOM.integers(0, 256, (3, 8, 8, 3), np.uint8))
    Image.fromarray(np.zeros((9, 8, 3), np.uint8)).save(samples / "99.png")
    return str(samples), "mixes sizes: 00.png is 8×8, 99.png is 8×9; resize them first, all in the same way"


def spoilt(folder: Path) -> tuple[str, str]:
    rows = features(folder / "a.npy", 20)
    array = np.load(rows)
    array[4, 2] = np.nan
    np.save(rows, array)
    return str(rows), "the features of image 4 are not finite (NaN or infinity)"


@pytest.mark.parametrize("make", [mixed, spoilt])
def test_what_is_wrong_is_one_line(tmp_path: Path, make: Any) -> None:
    given, message = make(tmp_path)
    done = call(tmp_path / "home", "fid", given, str(statistics(tmp_path / "b.npz")))
    assert done.returncode == 1
    assert done.stdout == ""
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ddpm-tui fid: ")
    assert last.endswith(message)
    assert "Traceback" not in done.stderr


def test_weights_that_are_none(tmp_path: Path) -> None:
    """A person's own file is not passed over in silence."""
    weights = tmp_path / "w.pth"
    weights.write_bytes(b"x")
    samples = images(tmp_path / "samples", RANDOM.integers(0, 256, (3, 8, 8, 3), np.uint8))
    done = call(tmp_path / "home", "fid", str(samples), "digits", DDPM_INCEPTION=str(weights))
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last == f"ddpm-tui fid: {weights} is not a file of weights: nothing could be read from it"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a"], "missing: B"),
        (["a", "b", "c"], "'c' is one argument too many"),
        (["a", "b", "--convention", "tensorflw"], "did you mean tensorflow?"),
        (["a", "b", "--device", "GPU 1"], "'GPU 1' is not a device"),
        (["a", "b", "--weights", "~nosuch/x"], "~nosuch/x: there is no user 'nosuch'"),
    ],
)
def test_bad_usage(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = main(["--home", str(tmp_path), "fid", *arguments])
    except SystemExit as leaving:
        status = int(leaving.code or 0)
    assert status == 2
    assert message in capsys.readouterr().err


def test_the_floor_stands_below(capsys: pytest.CaptureFixture[str]) -> None:
    result = {
        "fid": 5.4321,
        **dict.fromkeys(("kid", "kid_error", "precision", "recall", "density", "coverage")),
        "convention": "tensorflow",
        "subject": {"name": "samples\x1b[2J", "images": 50_000},
        "reference": {"name": "cifar10:train", "images": 50_000},
        "floor": {"split": "test", "samples": 10_000, "fid": 3.1456},
        "protocol": {"reference": {"dataset": "cifar10"}},
        "notes": [],
    }
    fid._print(result)
    assert capsys.readouterr().out.splitlines() == [
        "samples␛[2J against cifar10:train",
        "",
        "FID        5.43       tensorflow convention",
        "images     50,000 against 50,000",
        "floor      3.15       FID of cifar10:test at 10,000 images, not 50,000",
    ]


def compares() -> list[psutil.Process]:
    """Processes of the comparison that are still there."""
    running = psutil.process_iter(["cmdline"])
    return [process for process in running if fid.MODULE in (process.info["cmdline"] or [])]


def test_ctrl_c_ends_it_at_once(tmp_path: Path) -> None:
    home = tmp_path / "home"
    samples = images(tmp_path / "samples", RANDOM.integers(0, 256, (3, 8, 8, 3), np.uint8))
    terminal = Terminal(home, "fid", str(samples), "digits")
    try:
        terminal.until("starting")
        terminal.interrupt()
        began = time.monotonic()
        assert terminal.end() == 130
        assert time.monotonic() - began < 20
    finally:
        terminal.kill()
    assert "Traceback" not in terminal.shown
    assert not [p for p in compares() if str(samples) in p.cmdline()]
    assert [path.name for path in home.iterdir()] == ["runs"]


@pytest.mark.real_data
def test_real_images(tmp_path: Path, real_data: Path) -> None:
    """A folder against an array, in pytorch-fid's convention; the same as computed here step by step."""
    import torch

    from ddpm import data
    from ddpm.config import DataConfig
    from ddpm.evaluation.features import InceptionFeatures
    from ddpm.evaluation.frechet import frechet_distance
    from ddpm.evaluation.moments import statistics_of

    weights = real_data / "inception" / "pt-inception-trunk.pth"
    pixels = data.load(DataConfig(dataset="cifar10"), real_data, "test").images[:16]
    samples = images(tmp_path / "samples", pixels[:8].permute(0, 2, 3, 1).numpy())
    np.savez(tmp_path / "real.npz", pixels[8:].permute(0, 2, 3, 1).numpy())
    given = ("--weights", str(weights), "--convention", "pytorch-fid", "--json")
    done = call(tmp_path / "home", "fid", str(samples), str(tmp_path / "real.npz"), *given, timeout=300)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    torch.set_num_threads(1)
    rows = InceptionFeatures(weights, "pytorch-fid")(pixels).numpy()
    exact = frechet_distance(statistics_of(rows[:8]), statistics_of(rows[8:]))
    assert result["fid"] == pytest.approx(exact, rel=1e-5)
    assert result["precision"] is not None
    assert result["convention"] == "pytorch-fid"
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["runs"]
