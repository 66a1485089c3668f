"""The index of a log, against the plain way of splitting the whole file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.widgets import log_file
from tui.widgets.log_file import MAX_LINE, LogFile, shown


def opened(path: Path) -> LogFile:
    log = LogFile(path)
    log.grow()
    while not log.complete:
        log.index_back()
    return log


def texts(log: LogFile) -> list[str]:
    return [log.line(place) for place in range(log.first, log.end)]


@given(st.lists(st.text("ab", max_size=5), max_size=30), st.booleans(), st.integers(1, 9))
def test_lines_are_those_of_the_file(
    tmp_path_factory: pytest.TempPathFactory, content: list[str], ends: bool, block: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "log.txt"
    text = "\n".join(content) + ("\n" if ends and content else "")
    path.write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_file, "_BLOCK", block)
        patch.setattr(log_file, "_FIRST_BLOCK", block)
        assert texts(opened(path)) == text.splitlines()


@given(st.lists(st.sampled_from(["a\n", "b", "\n", "cc\nd", "e\n\n"]), min_size=1, max_size=12))
def test_a_growing_file_reads_as_a_whole_one(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str]
) -> None:
    path = tmp_path_factory.mktemp("log") / "log.txt"
    path.write_text("")
    log = opened(path)
    for part in parts:
        with path.open("a") as file:
            file.write(part)
        assert log.grow() == (True, False)
    assert texts(log) == "".join(parts).splitlines()
    assert log.grow() == (False, False)


def test_a_line_keeps_its_place_while_the_index_grows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_file, "_FIRST_BLOCK", 30)
    path = tmp_path / "log.txt"
    path.write_text("".join(f"line {i}\n" for i in range(100)))
    log = LogFile(path)
    assert log.grow() == (True, True)
    assert log.first > -100
    assert log.line(-1) == "line 99"
    known = -log.first
    assert log.index_back() == 100 - known
    with path.open("a") as file:
        file.write("line 100\n")
    log.grow()
    assert (log.first, log.end) == (-100, 1)
    assert [log.line(p) for p in (-100, -1, 0)] == ["line 0", "line 99", "line 100"]


def test_a_file_cut_or_replaced_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("one\ntwo\n")
    log = opened(path)
    path.write_text("x\n")
    assert log.grow() == (True, True)
    assert texts(log) == ["x"]
    path.unlink()
    assert log.grow() == (True, True)
    assert texts(log) == []
    assert log.grow() == (False, False)
    path.write_text("back\n")
    assert log.grow() == (True, True)
    assert texts(log) == ["back"]


def test_a_missing_file_is_empty_until_it_comes(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "later.txt")
    assert log.grow() == (False, False)
    assert texts(log) == []


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"1%\r50%\r100%\n", "100%"),
        (b"windows\r\n", "windows"),
        (b"\x1b[31mred\x1b[0m\n", "␛[31mred␛[0m"),
        (b"caf\xc3\xa9 \xff\n", "café \ufffd"),
        (b"a\tb\n", "a       b"),
        (b"[bold]x[/bold]", "[bold]x[/bold]"),
    ],
)
def test_what_is_shown_of_a_line(line: bytes, text: str) -> None:
    assert shown(line) == text


def test_of_an_endless_progress_line_the_last_state_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("".join(f"\r{i} of 100000" for i in range(5000)))
    assert texts(opened(path)) == ["4999 of 100000"]


def test_an_endless_line_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("x" * 100_000 + "\nshort\n")
    first, second = texts(opened(path))
    assert first == "x" * MAX_LINE + "…"
    assert second == "short"


def test_search_goes_either_way_and_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_file, "_CHUNK", 7)
    path = tmp_path / "log.txt"
    path.write_text("".join(f"{'NaN loss' if i % 40 == 3 else 'fine'} {i}\n" for i in range(100)))
    log = opened(path)
    assert log.line(log.find("nan", log.end - 1, -1) or 0) == "NaN loss 83"
    assert log.line(log.find("nan", -18, -1) or 0) == "NaN loss 43"
    assert log.line(log.find("NAN", -16, 1) or 0) == "NaN loss 3"
    assert log.find("absent", -1, -1) is None
    assert log.find("", -1, -1) is None
    assert log.find("nan", -1, -1, lambda: True) is None


def test_search_sees_only_what_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("hidden\rshown\nÄrger\n")
    log = opened(path)
    assert log.find("hidden", -1, -1) is None
    assert log.find("ärger", -1, -1) == -1
