"""Files that are replaced in one step, and what killed processes leave aside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ddpm.atomic import new_folder, replacing, sweep


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("synced", [False, True])
def test_a_file_is_replaced_when_all_is_written(tmp_path: Path, synced: bool) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with replacing(path, synced=synced) as aside:
        aside.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names(tmp_path) == ["file"]


def test_what_goes_wrong_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(ValueError, match="surrogates"), replacing(path) as aside:
        aside.write_text("a" * 100_000 + "\ud800", "utf-8")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]
    with pytest.raises(OSError, match="gone"), replacing(tmp_path / "gone" / "file") as aside:
        aside.write_text("new")


def test_leftovers_are_swept_and_nothing_else(tmp_path: Path) -> None:
    stay = [".other.npz.3.tmp", "mine.npz", "mine.tmp", ".mine.lock"]
    for name in [*stay, ".mine.npz.17.tmp", ".mine.floor.json.18.tmp"]:
        (tmp_path / name).touch()
    sweep(tmp_path, "mine.")
    assert names(tmp_path) == sorted(stay)


def test_a_folder_appears_with_all_that_is_in_it(tmp_path: Path) -> None:
    for target in (tmp_path / "a" / "new", tmp_path / "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with new_folder(target) as aside:
            (aside / "inner").mkdir()
            (aside / "inner" / "file").write_text("x")
            assert not target.exists() or names(target) == [aside.name]
        assert (target / "inner" / "file").read_text() == "x"
        assert names(target) == ["inner"]
        assert not [name for name in names(tmp_path) if name.startswith(".")]


def test_an_empty_folder_stays_itself(tmp_path: Path) -> None:
    """It may be private, a mounted disk, or where a shell stands."""
    target = tmp_path / ("long" * 60)
    target.mkdir(mode=0o700)
    before = target.stat()
    with new_folder(target) as aside:
        (aside / "file").write_text("x")
    after = target.stat()
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)


def test_two_that_fill_one_folder(tmp_path: Path) -> None:
    """One is whole, the other is told the folder's name."""
    target = tmp_path / "target"

    def fill() -> None:
        with new_folder(target) as aside:
            (aside / "file").write_text("one")
            target.mkdir()
            (target / "file").write_text("the other")

    with pytest.raises(OSError, match="not empty") as caught:
        fill()
    assert caught.value.filename == str(target)
    assert (target / "file").read_text() == "the other"
    assert names(tmp_path) == ["target"]


def test_what_killed_processes_left_of_folders_goes_with_the_next(tmp_path: Path) -> None:
    left, busy = tmp_path / ".filling-17.tmp", tmp_path / ".filling-18.tmp"
    left.mkdir()
    busy.mkdir()
    os.utime(left, (0, 0))
    with new_folder(tmp_path / "new") as aside:
        (aside / "file").write_text("x")
    assert names(tmp_path) == [busy.name, "new"]


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "full"
    target.mkdir()
    (target / "mine").write_text("mine")
    with pytest.raises(OSError, match="not empty"), new_folder(target) as aside:
        (aside / "other").write_text("other")
    with pytest.raises(ValueError, match="half way"), new_folder(tmp_path / "half") as aside:
        raise ValueError("half way")
    assert names(tmp_path) == ["full"]
    assert names(target) == ["mine"]
