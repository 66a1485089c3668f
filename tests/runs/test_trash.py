from __future__ import annotations

import fcntl
import os
import shutil
import threading
from pathlib import Path

import pytest

from runs import directory, home, trash
from runs.directory import take_lock
from runs.errors import RunError
from runs.home import Home
from tests.runs.processes import add_checkpoint, make


@pytest.fixture
def at(tmp_path: Path) -> Home:
    return home.find(str(tmp_path / "home"))


def test_a_run_moves_to_the_trash_and_from_there_goes_for_good(at: Home) -> None:
    run = make(at, "a")
    add_checkpoint(run, 10)
    expected = sum(p.stat().st_size for p in run.path.rglob("*") if p.is_file())
    assert trash.move(at, run) == expected > 0
    assert directory.all(at) == []
    [(name, length)] = trash.contents(at)
    assert name.startswith("0001-a-")
    assert length == expected
    assert trash.purge(at) == expected
    assert trash.contents(at) == []
    assert trash.purge(at) == 0


def test_an_empty_home_has_an_empty_trash(at: Home) -> None:
    assert trash.contents(at) == []
    assert trash.purge(at) == 0


def test_a_live_run_is_refused(at: Home) -> None:
    run = make(at, "a")
    lock = take_lock(run.path)
    with pytest.raises(RunError, match=r"a \(#1\) is running; stop it first"):
        trash.move(at, run)
    os.close(lock)
    assert run.path.exists()


def test_a_momentary_probe_does_not_keep_a_run_from_the_trash(at: Home) -> None:
    run = make(at, "a")
    with (run.path / "run.lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        threading.Timer(0.2, lambda: fcntl.flock(file, fcntl.LOCK_UN)).start()
        trash.move(at, run)
    assert not run.path.exists()


def test_the_same_name_may_be_thrown_away_twice(at: Home) -> None:
    run = make(at, "a")
    trash.move(at, run)
    for _ in range(3):  # copied back, as a person may
        shutil.copytree(next(at.trash.iterdir()), run.path)
        trash.move(at, run)
    assert len(trash.contents(at)) == 4


def test_links_are_never_followed(at: Home, tmp_path: Path) -> None:
    outside = tmp_path / "precious"
    outside.mkdir()
    (outside / "file").write_text("x" * 10_000)
    run = make(at, "a")
    (run.path / "link").symlink_to(outside)
    assert trash.size(run.path) < 10_000
    trash.move(at, run)
    linked = at.trash / "0009-linked"
    linked.symlink_to(outside)
    trash.purge(at)
    assert (outside / "file").exists()
    assert not linked.is_symlink()


def test_a_trash_that_is_a_link_is_refused(at: Home, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").write_text("x")
    at.trash.symlink_to(tmp_path / "elsewhere")
    run = make(at, "a")
    with pytest.raises(RunError, match="is a link"):
        trash.move(at, run)
    with pytest.raises(RunError, match="is a link"):
        trash.purge(at)
    assert run.path.exists()
    assert (tmp_path / "elsewhere" / "file").exists()


def test_a_run_of_another_home_is_refused(at: Home, tmp_path: Path) -> None:
    other = make(home.find(str(tmp_path / "other")), "a")
    with pytest.raises(RunError, match="not a run of the home"):
        trash.move(at, other)
    assert other.path.exists()
