"""`python -m ddpm.evaluation.compare`: lines of JSON, one clear error, and nothing left behind by SIGTERM."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddpm.evaluation import compare, comparison
from ddpm.evaluation.frechet import frechet_distance
from ddpm.evaluation.moments import statistics_of

RANDOM = np.random.default_rng(0)
A, B = (RANDOM.standard_normal((count, 5)).astype(np.float32) for count in (40, 30))
PLACES = ("--data-root", "data", "--weights-folder", "weights", "--references", "references")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    np.save("a.npy", A)
    np.save("b.npy", B)
    before = signal.getsignal(signal.SIGTERM)
    yield tmp_path
    signal.signal(signal.SIGTERM, before)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_progress_and_then_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare.main([*PLACES, "a.npy", "b.npy"]) == 0
    *progress, last = lines(capsys)
    assert progress[0] == {
        "progress": {"stage": "looking at a.npy and b.npy", "done": 0, "total": 0, "unit": "images"}
    }
    assert {"stage": "reading b.npy", "done": 30, "total": 30, "unit": "images"} in [
        p["progress"] for p in progress
    ]
    exact = frechet_distance(statistics_of(A), statistics_of(B))
    assert last["result"]["fid"] == pytest.approx(exact)
    assert last["result"]["precision"] is not None
    assert not Path("weights").exists()
    assert not Path("references").exists()


def test_options_are_passed_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        compare.main([*PLACES, "--no-companions", "--convention", "pytorch-fid", "--", "a.npy", "b.npy"]) == 0
    )
    result = lines(capsys)[-1]["result"]
    assert result["precision"] is None
    assert result["convention"] == "pytorch-fid"


def test_what_is_wrong_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare.main([*PLACES, "a.npy", "nowhere"]) == 1
    assert lines(capsys)[-1]["error"].startswith("nowhere is no folder or file here")


def test_errors_of_the_system_are_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "references/x.f32")

    monkeypatch.setattr(comparison, "compare", full)
    assert compare.main([*PLACES, "a.npy", "b.npy"]) == 1
    assert lines(capsys)[-1] == {"error": "references/x.f32: No space left on device"}


def test_memory_that_runs_out_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(comparison, "compare", exhausted)
    assert compare.main([*PLACES, "a.npy", "b.npy"]) == 1
    assert lines(capsys)[-1]["error"].startswith("out of memory: ")


def test_bytes_that_are_no_text_in_a_name_do_no_harm(capsys: pytest.CaptureFixture[str]) -> None:
    Path("\udcff.npy").symlink_to("a.npy")
    assert compare.main([*PLACES, "\udcff.npy", "b.npy"]) == 0
    assert lines(capsys)[-1]["result"]["subject"]["name"] == "\udcff.npy"


DOWNLOADS = """
import sys
from ddpm.evaluation import compare, trunk
trunk.URL = sys.argv.pop(1)
sys.exit(compare.main())
"""


def test_sigterm_in_the_middle_of_a_download_leaves_nothing() -> None:
    """The server sends a part and falls silent, as a bad line does."""
    np.savez("images.npz", RANDOM.integers(0, 256, (4, 6, 6, 3), np.uint8))
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/weights"
        process = subprocess.Popen(
            [sys.executable, "-c", DOWNLOADS, url, *PLACES, "images.npz", "./images.npz"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=_without_weights(),
        )
        assert process.stdout is not None
        connection, _ = server.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 9000000\r\n\r\n" + bytes(2_000_000))
            while json.loads(process.stdout.readline())["progress"]["unit"] != "bytes":
                continue
            assert any(path.name.endswith(".part") for path in Path("weights").iterdir())
            process.terminate()
            _, errors = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert errors == ""
    assert [path.name for path in Path("weights").iterdir()] == [".download.lock"]


def _without_weights() -> dict[str, str]:
    """An environment in which torch.hub has downloaded nothing."""
    return {**os.environ, "TORCH_HOME": str(Path("hub").absolute())}
