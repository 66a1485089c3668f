"""The kernels' library: compiled once, and done without where that cannot be."""

import hashlib
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

_ASK = "from ddpm.kernels.library import found; f = found(); print(bool(f.library), f.reason)"
_DRAW = """
import torch
from ddpm.config import ModelConfig
from ddpm.unet import UNet
torch.manual_seed(0)
network = UNet(ModelConfig(channels=8, multipliers=(1, 2), blocks=1, dropout=0.0), 1, 8)
for p in network.parameters():
    torch.nn.init.normal_(p, std=0.1)
print(network(torch.ones(2, 1, 8, 8), torch.tensor([1, 2])).abs().sum().item())
"""


def ask(code: str = _ASK, **environment: str) -> str:
    clean = {k: v for k, v in os.environ.items() if k not in ("DDPM_KERNELS", "CC")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean | environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_they_are_compiled_once(tmp_path: Path) -> None:
    assert ask(XDG_CACHE_HOME=str(tmp_path)).startswith("True compiled by")
    (kept,) = (tmp_path / "ddpm-tui").iterdir()
    made = kept.stat().st_mtime_ns
    assert ask(XDG_CACHE_HOME=str(tmp_path)).startswith("True")
    assert [(p, p.stat().st_mtime_ns) for p in (tmp_path / "ddpm-tui").iterdir()] == [(kept, made)]


def test_without_a_compiler_the_network_computes_the_same(tmp_path: Path) -> None:
    alone = {"XDG_CACHE_HOME": str(tmp_path), "PATH": str(tmp_path)}
    assert ask(**alone) == "False there is no C compiler (cc, gcc or clang)"
    assert float(ask(_DRAW, **alone)) == pytest.approx(float(ask(_DRAW)), rel=1e-5)


def test_they_can_be_switched_off() -> None:
    assert ask(DDPM_KERNELS="off") == "False switched off by DDPM_KERNELS"


def test_a_compiler_that_fails_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "cc"
    broken.write_text("#!/bin/sh\n[ $1 = --version ] && exit 0\necho no such flag >&2\nexit 1\n")
    broken.chmod(0o755)
    told = ask(XDG_CACHE_HOME=str(tmp_path), CC=str(broken))
    assert told == "False the C compiler failed: no such flag"


def test_code_that_others_could_write_is_not_loaded(tmp_path: Path) -> None:
    folder = tmp_path / "ddpm-tui"
    folder.mkdir()
    folder.chmod(0o777)
    assert ask(XDG_CACHE_HOME=str(tmp_path)) == f"False {folder} could be written by others"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o777


def test_processes_that_begin_together_do_not_meet(tmp_path: Path) -> None:
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    environment.pop("DDPM_KERNELS", None)
    many = [
        subprocess.Popen([sys.executable, "-c", _ASK], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert all(process.communicate()[0].startswith("True") for process in many)
    assert len(list((tmp_path / "ddpm-tui").iterdir())) == 1


@pytest.mark.parametrize(
    "damage", [lambda code: code[:20_000], lambda code: b"", lambda code: b"x" + code[1:]]
)
def test_a_damaged_library_is_made_anew(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    """As a power cut may leave it; to load it would end the process."""
    ask(XDG_CACHE_HOME=str(tmp_path))
    (kept,) = (tmp_path / "ddpm-tui").iterdir()
    code = kept.read_bytes()
    kept.write_bytes(damage(code))
    assert ask(XDG_CACHE_HOME=str(tmp_path)).startswith("True")
    (again,) = (tmp_path / "ddpm-tui").iterdir()
    assert hashlib.sha256(again.read_bytes()).hexdigest()[:20] in again.name


@pytest.mark.parametrize(
    ("environment", "told"),
    [({"CC": '"gcc'}, "No closing quotation"), ({"HOME": "", "XDG_CACHE_HOME": "not/absolute"}, "")],
)
def test_nothing_is_raised(environment: dict[str, str], told: str, tmp_path: Path) -> None:
    assert told in ask(**{"XDG_CACHE_HOME": str(tmp_path)} | environment)
    assert not Path("not").exists()


def test_what_a_killed_compilation_left_is_removed(tmp_path: Path) -> None:
    left, busy = tmp_path / "ddpm-tui/.building-old", tmp_path / "ddpm-tui/.building-new"
    for folder in (left, busy):
        folder.mkdir(parents=True, mode=0o700)
    os.utime(left, (0, 0))
    assert ask(XDG_CACHE_HOME=str(tmp_path)).startswith("True")
    assert busy.exists()
    assert not left.exists()
