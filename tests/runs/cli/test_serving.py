"""The verb serve as a real process: where it is told, what it answers, how it ends."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest

from runs.cli.main import main
from runs.home import find
from tests.runs.cli.command import argv, call, environment, record, tiny
from tests.runs.processes import add_checkpoint


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["none"], 1, "there is no run 'none'"),
        (["base"], 1, "has no whole checkpoint"),
        (["base", "--port", "x"], 2, "'x' is not a whole number"),
        (["base", "--device", "cuda 9"], 2, "'cuda 9' is not a device"),
    ],
)
def test_what_serve_refuses(
    arguments: list[str], status: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(find(str(tmp_path)), "base")
    try:
        left = main(["--home", str(tmp_path), "serve", *arguments])
    except SystemExit as leaving:
        left = int(leaving.code or 0)
    out, err = capsys.readouterr()
    assert (left, out) == (status, "")
    assert message in err.splitlines()[0]


def test_a_missing_extra_is_one_line_with_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_checkpoint(record(find(str(tmp_path)), "base"), 10)
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else found(name))
    assert main(["--home", str(tmp_path), "serve", "base"]) == 1
    assert capsys.readouterr().err == "ddpm-tui serve: uvicorn is missing: pip install 'ddpm-tui[serve]'\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--port", "99999"], "--port: 99999 is not between 0 and 65535"),
        (["--host", "nonsense.invalid"], "--host: 'nonsense.invalid' is no address of this machine"),
    ],
)
def test_an_address_that_cannot_be_is_one_line(options: list[str], message: str, tmp_path: Path) -> None:
    add_checkpoint(record(find(str(tmp_path)), "base"), 10)
    done = call(tmp_path, "serve", "base", *options)
    assert done.returncode == 1
    *warnings, last = done.stderr.splitlines()
    assert last == f"ddpm-tui serve: {message}"
    assert ["no authentication" in line for line in warnings] == ([True] if "--host" in options else [])


def test_it_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    done = call(tmp_path, "train", "digits", *tiny(), "--name", "base", timeout=300)
    assert done.returncode == 0, done.stderr
    server = subprocess.Popen(
        argv(tmp_path, "serve", "base", "--port", "0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        assert line.startswith("base@20 is served at http://127.0.0.1:")
        address = line.split(" at ")[1].split()[0]
        with urllib.request.urlopen(f"{address}/health", timeout=30) as answer:
            assert json.load(answer)["step"] == 20
        port = address.rpartition(":")[2]
        taken = call(tmp_path, "serve", "base", "--port", port)
        assert taken.returncode == 1
        assert taken.stderr.splitlines() == [
            f"ddpm-tui serve: --port: {port} is taken; choose another, or 0 for any that is free"
        ]
        server.send_signal(signal.SIGINT)
        _, errors = server.communicate(timeout=30)
        assert (server.returncode, errors) == (0, "")
    finally:
        server.kill()
