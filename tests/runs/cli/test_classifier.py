"""`ddpm-tui classifier`: trains in a process of its own and says what came of it."""

import json
import time
from pathlib import Path

import pytest

from tests.ddpm.writers import write_mnist
from tests.runs.cli.command import call
from tests.runs.cli.terminal import Terminal


@pytest.fixture(scope="module")
def mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mnist")
    write_mnist(folder, train=260, test=40)
    return folder


def test_it_trains_and_tells(tmp_path: Path, mnist: Path) -> None:
    out = tmp_path / "w.safetensors"
    arguments = ("classifier", "--out", str(out), "--epochs", "2", "--seed", "5")
    done = call(tmp_path / "home", *arguments, "--json", DDPM_DATA=str(mnist))
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert {key: result[key] for key in ("path", "seed", "epochs", "device", "tested")} == {
        "path": str(out),
        "seed": 5,
        "epochs": 2,
        "device": "cpu",
        "tested": 40,
    }
    assert "of 512 images" in done.stderr
    blob = out.read_bytes()
    done = call(tmp_path / "home", *arguments, DDPM_DATA=str(mnist))
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["accuracy", "hash", "file", "time"]
    assert result["hash"] in done.stdout
    assert f"{result['accuracy']:.2%} of 40 test images" in done.stdout
    assert out.read_bytes() == blob


def test_what_is_wrong_is_one_line(tmp_path: Path, mnist: Path) -> None:
    for arguments, status, told in (
        (("--out", str(tmp_path)), 1, "is a folder; the weights need a file's name"),
        (("--epochs", "0"), 2, "'0' is not a whole number, at least 1"),
        (("--device", "a gpu"), 2, "'a gpu' is not a device"),
        (("--device", "cuda:99"), 2, "--device: 'cuda:99' is not on this machine"),
    ):
        done = call(tmp_path / "home", "classifier", *arguments, DDPM_DATA=str(mnist))
        assert done.returncode == status
        assert done.stdout == ""
        assert told in done.stderr.splitlines()[0]


def test_ctrl_c_ends_the_training_too(tmp_path: Path, mnist: Path) -> None:
    out = tmp_path / "w.safetensors"
    terminal = Terminal(
        tmp_path / "home", "classifier", "--out", str(out), "--epochs", "100000", DDPM_DATA=str(mnist)
    )
    try:
        terminal.until("of 25,600,000 images")
        began = time.monotonic()
        terminal.interrupt()
        assert terminal.end() == 130
        assert time.monotonic() - began < 30
    finally:
        terminal.kill()
    assert "Traceback" not in terminal.shown
    assert not out.exists()
