import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs.text import printable, shorten, shorten_name, width


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("plain [red]text[/red] é 数", "plain [red]text[/red] é 数"),
        ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
        ("bell\x07 back\x08 null\x00", "bell␇ back␈ null␀"),
        ("csi \x9b31m", "csi \ufffd31m"),
        ("\x7f", "␡"),
        ("right\u202eleft", "right\ufffdleft"),
        ("isolate\u2066x\u2069", "isolate\ufffdx\ufffd"),
        ("zero\u200bwidth\ufeff", "zero\ufffdwidth\ufffd"),
        ("a\tb", "a b"),
        ("two\nlines\r\n", "two␊lines␍␊"),
        ("line\u2028separator", "line\ufffdseparator"),
        ("lone \ud800", "lone \ufffd"),
        ("", ""),
    ],
)
def test_characters_that_act_are_shown_instead(given: str, shown: str) -> None:
    assert printable(given) == shown
    printable(given).encode()  # always something that can be written


def test_newlines_stay_when_asked() -> None:
    assert printable("a\r\nb\n\x1b[2Jc", newlines=True) == "a\nb\n␛[2Jc"
    assert printable("progress\rdone", newlines=True) == "progress␍done"


def test_no_acting_character_survives() -> None:
    everything = "".join(map(chr, range(0x3000)))
    shown = printable(everything)
    assert "\x1b" not in shown
    assert not [c for c in shown if ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or 0x202A <= ord(c) <= 0x202E]


def test_width_counts_terminal_cells() -> None:
    assert [width(t) for t in ("abc", "数字", "e\u0301", "▀▀")] == [3, 4, 1, 2]


def test_shorten_cuts_by_cells() -> None:
    assert shorten("mnist-cosine", 12) == "mnist-cosine"
    assert shorten("mnist-cosine", 6) == "mnist…"
    assert shorten("数数数", 4) == "数…"
    assert shorten("数数数", 0) == ""


def test_names_keep_their_ends() -> None:
    assert shorten_name("cifar10-cpu-fid-2", 17) == "cifar10-cpu-fid-2"
    assert shorten_name("cifar10-cpu-fid-2", 12) == "cifar…-fid-2"
    assert shorten_name("cifar10-cpu-fid-2", 3) == "ci…"
    assert shorten_name("cifar10-cpu-fid-2", 0) == ""
    assert shorten_name("数数数数数数", 8) == "数…数数"
    assert shorten_name("界" * 18 + "12", 37) == "界" * 8 + "…" + "界" * 9 + "12"


@given(st.text(alphabet="ab数é\u0301", max_size=30), st.integers(0, 20))
def test_a_shortened_name_has_room(name: str, cells: int) -> None:
    shown = shorten_name(name, cells)
    assert width(shown) <= cells
    assert (shown == name) == (width(name) <= cells)
