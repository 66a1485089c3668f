"""Turns: one at a time, an equal share each, and nothing for those who have left."""

from __future__ import annotations

import threading
import time

import pytest

from ddpm.serving.turns import Turns, Unwanted


def always() -> bool:
    return True


def test_one_computes_at_a_time_and_short_steps_get_as_much_time_as_long_ones() -> None:
    turns, inside, most = Turns(), 0, 0
    spent = {0.02: 0, 0.002: 0}
    end = time.monotonic() + 1
    ready = threading.Barrier(2)

    def work(seconds: float) -> None:
        nonlocal inside, most
        ready.wait()
        with turns.mine(always):
            while time.monotonic() < end:
                inside += 1
                most = max(most, inside)
                time.sleep(seconds)
                spent[seconds] += 1
                inside -= 1
                turns.pass_on()

    threads = [threading.Thread(target=work, args=(seconds,)) for seconds in spent]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert spent[0.002] > 3 * spent[0.02]  # in turns by count they would be as many


def test_who_comes_later_begins_beside_the_others_and_not_before_them() -> None:
    turns, order = Turns(), []

    def later() -> None:
        with turns.mine(always):
            for _ in range(3):
                order.append("later")
                time.sleep(0.02)
                turns.pass_on()

    other = threading.Thread(target=later)
    with turns.mine(always):
        time.sleep(0.2)  # much time spent before
        turns.pass_on()
        other.start()
        while not turns.contended:
            time.sleep(0.001)
        for _ in range(3):
            order.append("first")
            time.sleep(0.02)
            turns.pass_on()
    other.join()
    assert order.count("later") == 3
    assert "later, later, later" not in ", ".join(order[: order.index("first", 1)])


def test_who_is_not_wanted_any_more_is_told_at_its_next_turn_and_lets_others_go_on() -> None:
    turns, wanted = Turns(), [True]

    def leaving() -> None:
        with turns.mine(lambda: wanted[0]):
            turns.pass_on()
            wanted[0] = False
            turns.pass_on()

    with pytest.raises(Unwanted):
        leaving()
    with turns.mine(always):
        turns.pass_on()
