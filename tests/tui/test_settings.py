"""What the app remembers."""

from __future__ import annotations

import json

import pytest

from tui import settings
from tui.settings import Settings


def test_what_is_saved_is_loaded(tmp_path) -> None:
    wanted = Settings(
        theme="light", hidden=("fid",), sort="loss", descending=False, smoothing=0.5, log_scale=True
    )
    settings.save(tmp_path, wanted)
    assert settings.load(tmp_path) == wanted
    assert [p.name for p in tmp_path.iterdir()] == ["ui.json"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"theme": 7, "hidden": "fid", "smoothing": "much"}']
)
def test_a_broken_file_is_as_none(tmp_path, text) -> None:
    (tmp_path / "ui.json").write_text(text)
    assert settings.load(tmp_path) == Settings()


def test_what_is_not_known_is_left_out(tmp_path) -> None:
    (tmp_path / "ui.json").write_text(json.dumps({"sort": "name", "colour": "mauve"}))
    assert settings.load(tmp_path) == Settings(sort="name")
