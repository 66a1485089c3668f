"""What is kept of a training in docs/results/: out of its record and its evaluations', nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.result import add_seed, drawing, evaluations, gather, training_hours
from ddpm import configfiles, schedules
from ddpm.samplers.levels import time_grid
from ddpm.sampling import NetworkDenoiser
from runs.catalogue import Catalogue
from runs.home import Home
from tests.ddpm.carrying.folders import randomised, tiny
from tests.runs.records import append, edit, evaluated, event, make_home, make_run, metrics, protocol, started

LAST = 20


def at(clock: str) -> str:
    return f"2026-11-23T{clock}:00Z"


def test_hours_are_those_that_it_ran_not_those_that_it_was_stopped() -> None:
    record = [
        started(time=at("10:00")), metrics(10, time=at("11:00")), event("ended", at("11:30")),
        started(10, time=at("20:00")), metrics(20, time=at("20:15")),
    ]  # fmt: skip
    assert training_hours(record) == 1.75
    assert training_hours([]) == 0


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = make_home(tmp_path / "home")
    command = ["ddpm-tui", "train", "digits", "--set", "data.root=a b"]
    training = make_run(home, 1, "digits", command=command, notes="one of three")
    append(training, started(time=at("10:00")), metrics(LAST, time=at("10:30")))
    return home


def judged(
    home: Home, number: int, step: int, fid: float, convention: str, count: int,
    of: str = "0001-digits", companions: bool = True, **more: Any,
) -> None:  # fmt: skip
    subject = json.loads((home.runs / of / "run.json").read_text())
    parent = {key: subject[key] for key in ("uuid", "id", "name")} | {"step": step}
    path = make_run(
        home, number, kind="evaluate", parent=parent, command=["ddpm-tui", "evaluate", f"{number}"]
    )
    how = protocol(samples=count)
    how["companions"] = how["companions"] if companions else None
    how["features"] = how["features"] | {"convention": convention}
    append(path, started(step), evaluated(step, fid, samples=count, protocol=how, **more))


def test_the_summary_is_of_the_last_step_and_the_most_images(home: Home) -> None:
    judged(home, 2, 10, 40.0, "tensorflow", 90)
    judged(home, 3, LAST, 20.0, "tensorflow", 64, floor={"fid": 1.5})
    judged(home, 4, LAST, 30.0, "tensorflow", 10)
    judged(home, 5, LAST, 21.0, "pytorch-fid", 64, floor={"fid": 1.6})
    with Catalogue(home) as catalogue:
        catalogue.sync()
        told, evaluation = gather(catalogue, "digits")
    assert evaluation == home.runs / "0003-run-3"
    assert (told["fid"], told["fid_pytorch"], told["floor"], told["floor_pytorch"]) == (20.0, 21.0, 1.5, 1.6)
    assert (told["samples"], told["images_seen"], told["training_hours"]) == (64, LAST * 8, 0.5)
    assert told["command"] == (
        "ddpm-tui train digits --set 'data.root=a b' && ddpm-tui evaluate 3 && ddpm-tui evaluate 5"
    )
    assert [(images, fid) for images, fid, *_ in told["fid_over_images"]] == [
        (80, 40.0), (160, 20.0), (160, 30.0)
    ]  # fmt: skip
    assert (told["seeds"], told["note"]) == ([0], "one of three")
    assert told["fid_of_seeds"] == {"0": 20.0}
    assert told["bits_per_dim"] == {}


def other_training(home: Home, number: int, *settings: str) -> str:
    path = make_run(home, number, f"digits-{number}")
    append(path, started(time=at("10:00")), metrics(LAST, time=at("10:30")))
    config = configfiles.override(configfiles.load(path / "config.toml"), settings)
    (path / "config.toml").write_text(configfiles.dumps(config))
    return path.name


def with_seeds(home: Home, *references: str) -> dict[str, Any]:
    with Catalogue(home) as catalogue:
        catalogue.sync()
        told, _ = gather(catalogue, "1")
        for reference in references:
            add_seed(told, configfiles.load(home.runs / "0001-digits/config.toml"), catalogue, reference)
    return told


def test_other_seeds_are_told_beside_with_or_without_companions(home: Home) -> None:
    judged(home, 2, LAST, 20.0, "tensorflow", 64)
    judged(home, 4, LAST, 21.0, "tensorflow", 64, of=other_training(home, 3, "training.seed=1"))
    other = other_training(
        home, 5, "training.seed=7", "training.log_every=7", "evaluation.every=10", "sampling.seed=3"
    )
    judged(home, 6, LAST, 19.0, "tensorflow", 64, of=other, companions=False)
    judged(home, 7, LAST, 30.0, "tensorflow", 32, of=other)
    told = with_seeds(home, "3", "5")
    assert told["seeds"] == [0, 1, 7]
    assert told["fid_of_seeds"] == {"0": 20.0, "1": 21.0, "7": 19.0}
    assert told["fid"] == 20.0


@pytest.mark.parametrize(
    ("settings", "step", "count", "message"),
    [
        (("training.seed=1", "training.batch_size=9"), LAST, 64, "another training: training.batch_size"),
        ((), LAST, 64, "of seed 0, which is told already"),
        (("training.seed=1",), 10, 64, "was not evaluated at step 20 by the same protocol"),
        (("training.seed=1",), LAST, 32, "was not evaluated at step 20 by the same protocol"),
    ],
)
def test_what_is_no_other_seed_is_refused(
    home: Home, settings: tuple[str, ...], step: int, count: int, message: str
) -> None:
    judged(home, 2, LAST, 20.0, "tensorflow", 64)
    judged(home, 4, step, 21.0, "tensorflow", count, of=other_training(home, 3, *settings))
    with pytest.raises(SystemExit, match=message):
        with_seeds(home, "3")


def test_the_newest_likelihood_is_told(home: Home) -> None:
    judged(home, 2, LAST, 20.0, "tensorflow", 64)
    subject = json.loads((home.runs / "0001-digits/run.json").read_text())
    path = make_run(home, 3, kind="likelihood", parent={"uuid": subject["uuid"], "id": 1, "step": LAST})
    bits = {"split": "test", "done": 5, "count": 5, "bits_per_dim": 2.5, "error": 0.25}
    append(path, started(LAST), event("bits_per_dim", step=LAST, images_seen=160, **bits))
    with Catalogue(home) as catalogue:
        catalogue.sync()
        told, _ = gather(catalogue, "digits")
    assert told["bits_per_dim"] == {"test": {"mean": 2.5, "error": 0.25, "images": 5}}


def test_the_weights_draw_as_they_did_for_the_evaluation(tmp_path: Path) -> None:
    asked = ["sampling.sampler=dpmpp-2m", "sampling.eta=1", "sampling.steps=12", "sampling.spacing=log_snr"]
    asked += ["sampling.guidance=1.5", "sampling.clip=false", "sampling.seed=7"]
    wanted, _ = configfiles.resolve("digits", ["model.classes=10", *asked])
    (tmp_path / "config.toml").write_text(configfiles.dumps(wanted))
    found = configfiles.resolve("digits", ["model.classes=10", *drawing(tmp_path)])[0].sampling
    assert found == wanted.sampling.model_copy(update={"seed": found.seed})


def test_a_training_that_was_not_evaluated_at_its_end_is_refused(home: Home) -> None:
    judged(home, 2, 10, 40.0, "tensorflow", 90)
    edit(home.runs / "0001-digits", name="renamed")
    with Catalogue(home) as catalogue:
        catalogue.sync()
        with pytest.raises(SystemExit, match="renamed: step 20 was not evaluated"):
            gather(catalogue, "renamed")


@pytest.mark.parametrize(
    "settings",
    [
        (),
        ("sampling.guidance=2",),
        ("sampling.guidance=2", "sampling.guidance_to=0.8", "sampling.spacing=log_snr"),
        ("sampling.guidance=2", "sampling.guidance_from=0.2", "sampling.guidance_to=0.5"),
    ],
)
def test_evaluations_are_those_that_sampling_takes(settings: tuple[str, ...]) -> None:
    config = tiny("model.classes=10", "sampling.sampler=ddim", "sampling.steps=9", *settings)
    denoise = NetworkDenoiser(randomised(config), config, labels=torch.tensor([3]))
    schedule = schedules.make(config.diffusion)
    for time in time_grid(schedule, 9, config.sampling.spacing, config.sampling.rho):
        denoise(torch.zeros(1, 1, 8, 8), time)
    assert evaluations(config) == denoise.evaluations
