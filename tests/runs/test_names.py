from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs import names
from runs.errors import RunError


@pytest.mark.parametrize(
    "name", ['[red]bold "quoted" \\', "ünïcödé 🎨 名前", "a", "x" * 100, "v1.2_b-3", "7b"]
)
def test_names_may_be_any_text_on_one_line(name: str) -> None:
    assert names.check_name(name) == name


def test_blanks_around_a_name_are_dropped() -> None:
    assert names.check_name("  a b ") == "a b"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("x" * 101, "at most 100"),
        ("12", "already mean a run"),
        ("#12", "already mean a run"),
        ("last", "already mean a run"),
        ("a@2000", "'@' has a meaning"),
        ("a/b", "'/' has a meaning"),
        ("--name", "like an option"),
        ("two\nlines", r"control character '\n'"),
        ("\x1b[31mred", r"control character '\x1b'"),
        ("\x9b31mred", r"control character '\x9b'"),
        ("a\u202egnp.exe", r"control character '\u202e'"),
        ("half \udcff", r"control character '\udcff'"),
    ],
)
def test_other_names_are_refused_in_one_line(name: str, reason: str) -> None:
    with pytest.raises(RunError, match=re.escape(reason)) as caught:
        names.check_name(name)
    message = str(caught.value)
    assert "\n" not in message
    assert message.isprintable()


@given(st.text(max_size=120))
def test_any_text_is_a_name_or_refused_and_its_slug_is_a_file_name(text: str) -> None:
    try:
        names.check_name(text).encode()
    except RunError as error:
        reason = str(error)
    else:
        reason = "none"
    assert reason.isprintable()
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", names.slug(text))


def test_slugs() -> None:
    assert names.slug("MNIST  Cosine (β=2)") == "mnist-cosine-2"
    assert names.slug("名前") == "run"
    assert names.slug("../../etc/passwd") == "etc-passwd"


def test_free_names_count_on() -> None:
    assert names.free_name("mnist", []) == "mnist"
    assert names.free_name("mnist", ["mnist"]) == "mnist-1"
    assert names.free_name("mnist-2", ["mnist-2", "mnist-7", "mnist-x"]) == "mnist-8"
    assert names.numbered("x" * 100, []) == "x" * 92 + "-1"
    assert names.numbered("a+b", ["a+b-1", "aab-5"]) == "a+b-2"


def test_tags_are_each_once_and_have_no_commas() -> None:
    assert names.check_tags(["a", " b ", "a", ""]) == ["a", "b"]
    with pytest.raises(RunError, match="commas"):
        names.check_tags(["a,b"])
    with pytest.raises(RunError, match="control character"):
        names.check_tags(["a\x1b[0m"])


def test_notes_may_have_lines_but_no_escape_codes() -> None:
    assert names.check_notes("one\r\n\ttwo\n") == "one\n\ttwo"
    with pytest.raises(RunError, match="notes cannot hold"):
        names.check_notes("\x1b]0;title\x07")
