"""The inputs of a restoration: what they are called, what their results are called, and in which order."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from ddpm.config import DataConfig
from ddpm.errors import EngineError
from ddpm.restoration.inputs import listing

DIGITS = DataConfig(dataset="digits")


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4), 7).save(path)
    return path


def test_folders_come_by_path_with_their_sub_folders(tmp_path: Path) -> None:
    for name in ("b.png", "a.jpg", "sub/c.png", ".hidden.png", "sub/.secret/d.png"):
        picture(tmp_path / name)
    (tmp_path / "notes.txt").touch()
    found = listing([str(tmp_path)], DIGITS, tmp_path)
    assert [source.target for source in found] == ["a.png", "b.png", "sub/c.png"]
    assert [source.number for source in found] == [0, 1, 2]
    assert found.picture(found[1]).pixels.shape == (1, 4, 4)


def test_no_result_is_written_over_another(tmp_path: Path) -> None:
    names = ("x/a.png", "y/a.png", "z/A.PNG", "z/a.jpg", "w/a-2.png")
    files = [str(picture(tmp_path / name)) for name in names]
    targets = [source.target for source in listing(files, DIGITS, tmp_path)]
    assert targets[0] == "a.png"
    assert len({target.casefold() for target in targets}) == len(names)
    assert all(target.endswith(".png") and "/" not in target for target in targets)


def test_names_keep_their_dots_and_odd_characters(tmp_path: Path) -> None:
    files = [str(picture(tmp_path / name)) for name in ("v1.2.png", "größe 😀.png", "tab\there.png")]
    assert [s.target for s in listing(files, DIGITS, tmp_path)] == [
        "v1.2.png",
        "größe 😀.png",
        "tab\there.png",
    ]


def test_a_data_set_comes_in_the_networks_size(tmp_path: Path) -> None:
    found = listing(["digits:train"], DataConfig(dataset="digits", image_size=16), tmp_path)
    assert len(found) > 1000
    assert found[3].target == "digits-train-000003.png"
    assert found.picture(found[3]).pixels.shape == (1, 16, 16)


def test_a_file_that_is_called_like_a_data_set_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture(tmp_path / "a.png").rename(tmp_path / "digits:train")
    monkeypatch.chdir(tmp_path)
    assert [source.target for source in listing(["digits:train"], DIGITS, tmp_path)] == ["digits:train.png"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nowhere", "nowhere does not exist"),
        ("digits:test", "no test split"),
        ("mnits:test", "mnits:test does not exist"),
        (".", "has no image in it"),
    ],
)
def test_what_is_no_input_is_told(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EngineError, match=message):
        listing([text], DIGITS, tmp_path)
