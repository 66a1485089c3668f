from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from runs import provenance


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True)


def test_it_tells_machine_versions_seed_and_device() -> None:
    found = provenance.collect(seed=5, device="cuda:1")
    assert (found["seed"], found["device"]) == (5, "cuda:1")
    assert found["host"]
    assert found["platform"]
    assert found["python"].startswith("3.")
    assert set(found["packages"]) >= {"ddpm-tui", "torch", "torchvision", "numpy", "textual"}
    assert found["packages"]["torch"]


def test_a_checkout_tells_commit_and_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert provenance.git_state(tmp_path) == (None, None)
    git(tmp_path, "init", "-q")
    (tmp_path / "file").write_text("1")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-q", "-m", "first")
    (tmp_path / "scratch").write_text("not tracked, not ours")
    monkeypatch.setenv("GIT_DIR", "/nowhere")  # as in a hook
    commit, dirty = provenance.git_state(tmp_path)
    assert commit is not None
    assert len(commit) == 40
    assert dirty is False
    (tmp_path / "file").write_text("2")
    assert provenance.git_state(tmp_path) == (commit, True)


def test_without_git_and_without_an_account_they_are_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "-q")
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 987_654)
    monkeypatch.setenv("PATH", "")
    assert provenance.git_state(tmp_path) == (None, None)
    assert provenance.collect(seed=0, device="cpu")["user"] is None
