"""Protocols in words: short, complete where two are unlike, and literal whatever the record says."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ddpm.evaluation import protocol as engine
from tests.tui.building import PROTOCOL
from tui import protocols


def other(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = copy.deepcopy(PROTOCOL)
    for key, value in changes.items():
        section, _, name = key.partition("__")
        if name:
            found[section][name] = value
        else:
            found[section] = value
    return found


def test_the_usual_protocol_fits_a_narrow_line() -> None:
    line = protocols.words(PROTOCOL)
    assert line == "Inception, tensorflow · CIFAR-10 train 50,000 · 10,000 samples · ddim 50 · EMA"
    assert protocols.words(PROTOCOL, [PROTOCOL]) == line


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"features__convention": "pytorch-fid"}, "Inception, pytorch-fid"),
        ({"features__weights": "f" * 64}, "weights ffffffff"),
        ({"reference__split": "test"}, "CIFAR-10 test 50,000"),
        ({"reference__data": "cd" * 32}, "data cdcdcdcd"),
        ({"reference__shape": [1, 28, 28]}, "images of 1×28×28"),
        ({"samples": 50_000}, "50,000 samples"),
        ({"sampling__sampler": "ddpm", "sampling__steps": 1000}, "ddpm 1,000"),
        ({"sampling__spacing": "quadratic"}, "quadratic steps"),
        ({"sampling__eta": 0.5}, "eta 0.5"),
        ({"sampling__weights": "model"}, "no EMA"),
        ({"sampling__ema_decay": 0.999}, "EMA decay 0.999"),
        ({"sampling__guidance": [3.0, 0.0, 1.0]}, "guidance 3"),
        ({"sampling__guidance": [3.0, 0.25, 0.5]}, "guidance 3 from 0.25 to 0.5"),
        ({"sampling__rho": 3.0}, "sampling.rho 3"),
    ],
)
def test_all_that_keeps_two_apart_is_told(changes: dict[str, Any], told: str) -> None:
    changed = other(**changes)
    assert engine.identity(changed) != engine.identity(PROTOCOL)
    assert protocols.label(changed, [PROTOCOL, changed]) == told
    assert told in protocols.words(changed, [PROTOCOL])
    assert protocols.label(PROTOCOL, [changed]) != told


def test_without_guidance_is_told_beside_one_with() -> None:
    assert protocols.label(PROTOCOL, [other(sampling__guidance=[3.0, 0.0, 1.0])]) == "no guidance"


def test_the_companions_keep_nothing_apart() -> None:
    assert protocols.label(other(companions=None), [PROTOCOL]) == ""


def test_details_of_what_is_unlike_anyway_are_left_out() -> None:
    mnist = other(
        reference__dataset="mnist",
        reference__images=60_000,
        reference__shape=[1, 28, 28],
        reference__data="0",
    )
    assert protocols.label(mnist, [PROTOCOL]) == "MNIST train 60,000"


def test_a_protocol_of_other_making_is_text_and_never_fails() -> None:
    odd = {
        "features": [1],
        "reference": {"dataset": "[b]x\x1b[31m", "shape": 3},
        "samples": None,
        "sampling": 7,
    }
    line = protocols.words(odd, [PROTOCOL])
    assert "[b]x␛[31m ? ?" in line
    assert "\x1b" not in line
    assert protocols.words({}) == "? · ? ? ? · ? samples"


def test_what_several_differ_in_is_told_part_by_part() -> None:
    without = other(sampling=None)
    assert protocols.contrasts([PROTOCOL, other(samples=5), without]) == {
        "samples": ["10,000 samples", "5 samples", "10,000 samples"],
        "sampling": ["ddim 50", "ddim 50", "–"],
        "sampling.weights": ["EMA", "EMA", "–"],
    }
    assert protocols.contrasts([PROTOCOL, PROTOCOL]) == {}
