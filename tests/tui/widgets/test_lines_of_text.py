"""Sparks, bars and state marks: one line of text each."""

from __future__ import annotations

import typing

from runs.rows import Status
from tui.widgets.progress import bar
from tui.widgets.spark import spark
from tui.widgets.status import STATUS_MARKS, status_mark

NAN = float("nan")


def test_a_spark_goes_from_lowest_to_highest() -> None:
    assert spark([0, 1, 2, 3, 4, 5, 6, 7], 8) == "▁▂▃▄▅▆▇█"
    assert spark([3, 3, 3], 3) == "▄▄▄"


def test_a_spark_has_the_width_asked_for() -> None:
    assert spark([1, 2], 5) == "▁█   "
    assert spark([], 4) == "    "
    assert spark([1, 2], 0) == ""
    assert spark([0, 0, 10, 10], 2) == "▁█"


def test_a_spark_leaves_gaps() -> None:
    assert spark([0, NAN, 7], 3) == "▁ █"
    assert spark([NAN, NAN], 2) == "  "
    assert spark([0, 1, 10, 100], 4, log=True) == " ▁▅█"


def test_a_bar_is_filled_in_eighths() -> None:
    assert bar(0.5, 4) == "██  "
    assert bar(0.125 / 4, 4) == "▏   "
    assert bar(1, 4) == "████"
    assert bar(0, 4) == "    "
    assert [len(bar(i / 100, 7)) for i in range(101)] == [7] * 101


def test_a_bar_tells_begun_and_done_from_nearly() -> None:
    assert bar(1e-9, 4) == "▏   "
    assert bar(0.99999, 4) == "███▉"


def test_a_bar_takes_what_it_gets() -> None:
    assert bar(None, 3) == bar(NAN, 3) == bar(-1, 3) == "   "
    assert bar(7, 3) == "███"
    assert bar(0.5, 0) == ""


def test_every_state_has_a_mark_a_word_and_a_colour_of_its_own() -> None:
    states = typing.get_args(Status)
    assert set(states) <= set(STATUS_MARKS)
    assert len({status_mark(s, word=False).plain for s in states}) == len(states)
    assert status_mark("running").plain == "● running"
    assert status_mark("odd [red]").plain == "· odd [red]"


def test_colours_of_states_are_exact_in_256_colours() -> None:
    steps = {0, 0x5F, 0x87, 0xAF, 0xD7, 0xFF}
    greys = {8 + 10 * i for i in range(24)}
    for _, colour in STATUS_MARKS.values():
        parts = {int(colour[i : i + 2], 16) for i in (1, 3, 5)}
        assert parts <= steps or (len(parts) == 1 and parts <= greys)
