"""What there is to try on a network: solvers that go with it, and step counts to go through."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from ddpm.configfiles import build, resolve
from tui import solvers
from tui.solvers import Attempt


def config_of(*settings):
    return resolve("digits", settings)[0]


def test_solvers_are_those_that_go_together_with_the_network() -> None:
    every = solvers.solvers(config_of())
    assert {"ddpm", "ddim", "heun", "unipc"} <= set(every)
    assert "consistency" not in every
    zero = config_of("diffusion.zero_terminal_snr=true", "diffusion.prediction=v")
    assert solvers.solvers(zero) == ["ddpm", "ddim"]
    tuned = config_of(
        "training.objective=consistency", "sampling.sampler=consistency", "diffusion.prediction=v"
    )
    assert solvers.solvers(tuned) == ["consistency"]
    assert solvers.ladder(tuned) == [1, 2, 3, 4]
    assert max(solvers.ladder(config_of("diffusion.timesteps=50"))) == 50


@pytest.mark.parametrize("settings", [(), ("model.classes=10",), ("sampling.sampler=ddpm",)])
def test_what_is_tried_first_is_what_the_run_draws_by_itself(settings) -> None:
    config = config_of(*settings)
    attempt = solvers.first(config)
    assert (attempt.sampler, attempt.count) == (config.sampling.sampler, 16)
    assert attempt.steps == config.sampling.resolved_steps(config.diffusion.timesteps)
    values = config.model_dump()
    values["sampling"].update(attempt.values())
    build(values)


def test_steps_move_by_rungs_from_wherever_they_are() -> None:
    rungs = [1, 2, 5, 10, 20]
    assert [solvers.moved(steps, 1, rungs) for steps in (1, 3, 10, 20, 30)] == [2, 5, 20, 20, 30]
    assert [solvers.moved(steps, -1, rungs) for steps in (1, 3, 10, 20, 30)] == [1, 2, 5, 10, 20]


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 37, 50, 1000])
@pytest.mark.parametrize("count", [2, 3])
def test_columns_hold_the_steps_and_about_double(steps: int, count: int) -> None:
    found = solvers.columns(steps, count, solvers.LADDER)
    assert steps in found
    assert len(found) == count
    assert all(2 * one <= other for one, other in pairwise(found))


def test_columns_are_no_more_than_there_are() -> None:
    assert solvers.columns(1, 3, [1]) == [1]
    assert solvers.columns(4, 3, [1, 2, 3, 4]) == [1, 2, 4]


def test_classes_go_round_with_all_of_them_between() -> None:
    label, seen = None, []
    for _ in range(4):
        label = solvers.next_label(label, 1, 3)
        seen.append(label)
    assert seen == [0, 1, 2, None]
    assert solvers.next_label(None, -1, 3) == 2


def test_solvers_go_round_and_ddim_tells_its_noise() -> None:
    attempt = Attempt("b", 5, 0, 4)
    assert solvers.with_solver(attempt, 1, ["a", "b"]).sampler == "a"
    assert solvers.with_solver(attempt, -1, ["a", "b"]).sampler == "a"
    assert solvers.title(config_of("sampling.eta=0.5"), "ddim") == "ddim\neta 0.5"
    assert solvers.title(config_of("sampling.eta=0"), "ddim") == "ddim"
    assert solvers.title(config_of("sampling.eta=0.5"), "dpmpp-2m") == "dpmpp-2m\neta 0.5"
    assert solvers.title(config_of("sampling.eta=0.5"), "heun") == "heun"


GUIDED = ("sampling.guidance=3", "sampling.guidance_step=8000")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ((), False),
        (("model.classes=10",), True),
        (("model.classes=10", "training.label_dropout=0"), False),
        (GUIDED, True),
        (GUIDED[1:], False),  # the earlier step's weights are not loaded where nothing asks for them
        (
            (
                *("training.objective=consistency", "sampling.sampler=consistency"),
                *("diffusion.prediction=v", "model.classes=10"),
            ),
            False,
        ),
    ],
)
def test_guidance_is_tried_where_there_is_something_to_be_guided_by(settings, expected: bool) -> None:
    assert solvers.guidable(config_of(*settings)) is expected


def test_guidance_goes_up_and_down_to_none() -> None:
    config = config_of(*GUIDED)
    assert solvers.first(config).guidance == 3
    assert solvers.next_guidance(3.0, 1) == 4
    assert solvers.next_guidance(2.5, -1) == 2
    assert solvers.next_guidance(1.0, -1) == 1
    assert [solvers.guided(config, value) for value in (3.0, 1.5, 1.0)] == [
        "3 by 8,000",
        "1.5 by 8,000",
        "none",
    ]
    assert solvers.guided(config_of("model.classes=10"), 2.0) == "2"


def test_where_the_guidance_begins_and_ends_is_told() -> None:
    within = config_of("model.classes=10", "sampling.guidance_from=0.1", "sampling.guidance_to=0.8")
    assert solvers.guided(within, 2.5) == "2.5 from 0.1 to 0.8"
    assert solvers.guided(within, 1.0) == "none"


def test_the_classes_of_the_run_are_tried_until_one_is_chosen() -> None:
    attempt = solvers.first(config_of("model.classes=10", "sampling.labels=3,7"))
    assert (attempt.label, attempt.values()["labels"]) == (None, [3, 7])
    assert replace(attempt, label=5).values()["labels"] == [5]
    assert solvers.first(config_of("model.classes=10", "sampling.labels=4")).values()["labels"] == [4]
    assert solvers.first(config_of("model.classes=10")).values()["labels"] == []
