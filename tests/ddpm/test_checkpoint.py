"""Checkpoints: whole or not at all, verified, data and never code."""

import errno
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from ddpm import checkpoint
from ddpm.checkpoint import CheckpointError

BLOBS = {"model.safetensors": b"m" * 100, "ema.safetensors": b"e" * 50}


def write(directory: Path, step: int, **more: Any) -> checkpoint.Checkpoint:
    return checkpoint.write(directory, BLOBS, {"step": step, "images_seen": step * 8, **more})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write(tmp_path, 20)
    saved = checkpoint.open_folder(tmp_path / "checkpoints/00000020")
    assert (saved.step, saved.images_seen, saved.size) == (20, 160, 150)
    assert {name: saved.read(name) for name in BLOBS} == BLOBS
    assert checkpoint.steps(tmp_path) == [20]
    with pytest.raises(CheckpointError, match="has no other"):
        saved.read("other")


@pytest.mark.parametrize("name", ["model.safetensors", "state.json"])
def test_a_checkpoint_cut_short_is_passed_over_and_named(tmp_path: Path, name: str) -> None:
    write(tmp_path, 10)
    torn = write(tmp_path, 20).path
    content = (torn / name).read_bytes()
    (torn / name).write_bytes(content[: len(content) // 2])
    assert checkpoint.steps(tmp_path) == [10]
    with pytest.raises(CheckpointError, match=r"cut short: 50 of 100 bytes|state\.json is damaged"):
        checkpoint.open_folder(torn)


def test_missing_files_are_named(tmp_path: Path) -> None:
    saved = write(tmp_path, 10).path
    (saved / "ema.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"ema\.safetensors is missing"):
        checkpoint.open_folder(saved)
    (saved / "state.json").unlink()
    with pytest.raises(CheckpointError, match=r"state\.json is missing"):
        checkpoint.open_folder(saved)


def test_changed_bytes_are_noticed_when_read(tmp_path: Path) -> None:
    saved = write(tmp_path, 10)
    (saved.path / "model.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoint.open_folder(saved.path).read("model.safetensors")


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"[]",
        b"null",
        b'{"format": 1}',
        b'{"format": 1, "step": 1, "images_seen": 1, "files": []}',
        b'{"format": "x", "step": 1, "images_seen": 1, "files": {}}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"format": 1, "step": 1, "images_seen": 1e999, "files": {}}',
        b'{"format": 1, "step": -1, "images_seen": 1, "files": {}}',
        b'{"format": 1, "step": 1, "images_seen": 1, "files": {"a": {"bytes": 1}}}',
    ],
)
def test_hostile_state_is_one_clear_line(tmp_path: Path, state: bytes) -> None:
    saved = write(tmp_path, 10).path
    (saved / "state.json").write_bytes(state)
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoint.open_folder(saved)


def test_no_file_outside_is_read(tmp_path: Path) -> None:
    saved = write(tmp_path, 10).path
    (tmp_path / "secret").write_bytes(b"s")
    state = json.loads((saved / "state.json").read_text())
    state["files"]["../../secret"] = {"bytes": 1, "sha256": ""}
    (saved / "state.json").write_text(json.dumps(state))
    with pytest.raises(CheckpointError, match="outside"):
        checkpoint.open_folder(saved)


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    saved = write(tmp_path, 10).path
    state = json.loads((saved / "state.json").read_text())
    (saved / "state.json").write_text(json.dumps({**state, "format": 99}))
    with pytest.raises(CheckpointError, match="newer version"):
        checkpoint.open_folder(saved)


def test_a_full_disk_leaves_the_last_good_one_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, 10)

    def full(path: Path, data: bytes) -> None:
        path.write_bytes(data[:3])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint, "_write_synced", full)
    with pytest.raises(CheckpointError, match=r"disk full: checkpoint 00000020 of 0\.0 MB did not fit"):
        write(tmp_path, 20)
    assert checkpoint.steps(tmp_path) == [10]
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["00000010"]


def test_a_torn_folder_gives_way_to_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "checkpoints/00000010").mkdir(parents=True)
    (tmp_path / "checkpoints/.00000010.tmp").mkdir()
    (tmp_path / "checkpoints/.00000010.tmp/rest").write_bytes(b"r")
    write(tmp_path, 10)
    assert checkpoint.steps(tmp_path) == [10]


def test_outdated_are_all_but_the_last_and_the_milestones(tmp_path: Path) -> None:
    saved = [write(tmp_path, s, milestone=s % 30 == 0) for s in (10, 20, 30, 40, 50)]
    assert [c.step for c in checkpoint.outdated(saved, 2)] == [10, 20]
    checkpoint.remove(saved[0])
    assert checkpoint.steps(tmp_path) == [20, 30, 40, 50]


def test_a_pickle_in_disguise_is_never_run(tmp_path: Path) -> None:
    """Weights are read by safetensors alone, which knows no code."""
    from torch import nn

    from ddpm.weights import load

    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    blob = pickle.dumps(Bomb())
    saved = checkpoint.write(tmp_path, {"model.safetensors": blob}, {"step": 1, "images_seen": 8})
    with pytest.raises(CheckpointError, match="not safetensors"):
        load(nn.Linear(1, 1), saved, "model.safetensors")
    assert not (tmp_path / "ran").exists()
