"""Files that are replaced in one step, and what killed processes leave aside."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddpm.atomic import replacing, sweep


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
