import math

import pytest

from runs.cli.output import Column, paint, plain, print_json, table
from runs.text import width

COLUMNS = [Column("#", right=True), Column("name", least=6), Column("kind", drop=1), Column("note", drop=2)]
ROWS = [["1", "a-long-name", "train", "x"], ["23", "数字", ("sample", "red"), "yy"]]


def test_columns_line_up_by_cells() -> None:
    assert table(COLUMNS, ROWS) == [
        " #  name         kind    note",
        " 1  a-long-name  train   x",
        "23  数字         sample  yy",
    ]


def test_a_narrow_terminal_shortens_then_drops() -> None:
    assert table(COLUMNS, ROWS, limit=25)[1] == " 1  a-long…  train   x"
    assert table(COLUMNS, ROWS, limit=20)[1] == " 1  a-long-…  train"
    assert table(COLUMNS, ROWS, limit=12)[1] == " 1  a-long-…"
    for limit in range(10, 40):
        assert max(map(width, table(COLUMNS, ROWS, limit=limit))) <= limit


def test_colours_only_where_asked_and_not_counted() -> None:
    plainly, coloured = table(COLUMNS, ROWS), table(COLUMNS, ROWS, colours=True)
    assert "\x1b[31msample\x1b[0m" in coloured[2]
    assert "\x1b" not in "".join(plainly)
    assert paint("x", "red", False) == "x"


def test_text_of_others_is_literal() -> None:
    lines = table([Column("name")], [["[red]x[/red]"], ["\x1b[31mx\ny"]], colours=True)
    assert lines[1:] == ["[red]x[/red]", "␛[31mx␊y"]


def test_json_holds_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    assert plain({"a": math.nan, "b": [math.inf, 1.5], "c": (1, None)}) == {
        "a": None,
        "b": [None, 1.5],
        "c": [1, None],
    }
    print_json({"name": "\x1b[31m é"})
    assert "\x1b" not in capsys.readouterr().out
