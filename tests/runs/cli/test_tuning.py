"""Consistency tuning as a run: of which run, and what such a run is good for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runs.cli.command import call, call_json, tiny

TUNED = (
    *("--set", "training.objective=consistency", "--set", "sampling.sampler=consistency"),
    *("--set", "sampling.steps=2", "--set", "sampling.spacing=uniform", "--set", "diffusion.prediction=v"),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a short training in it, a denoiser, and a tuning."""
    path = tmp_path_factory.mktemp("home")
    for name, more in (
        ("base", ("--set", "diffusion.prediction=v")),
        ("denoiser", ("--set", "training.objective=supervised")),
        ("student", (*TUNED, "--from", "base")),
    ):
        done = call(path, "train", "digits", *tiny(), *more, "--name", name, timeout=300)
        assert done.returncode == 0, done.stderr
    return path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            [*TUNED],
            "training.objective: consistency tunes a trained diffusion model: say which, as --from RUN",
        ),
        ([*TUNED, "--from", "denoiser"], "denoiser (#2) learned to denoise"),
        (
            [*TUNED, "--from", "base", "--set", "diffusion.prediction=x0"],
            "base cannot be tuned so: diffusion.prediction is v there and x0 here",
        ),
        (
            ["--set", "training.ema_lengths=[0.1]", "--set", "training.ema_snapshots=5000"],
            "training.ema_snapshots: 5000 is above training.steps",
        ),
        (
            [*TUNED, "--from", "base", "--set", "model.classes=10"],
            "base@20 is of another network: model.classes is 0 there and 10 here",
        ),
    ],
)
def test_what_is_refused_before_anything_starts(home: Path, arguments: list[str], message: str) -> None:
    before = len(call_json(home, "ls"))
    done = call(home, "train", "digits", *tiny(), *arguments)
    assert done.returncode in (1, 2)
    assert message in done.stderr.splitlines()[0]
    dry = call(home, "train", "digits", *tiny(), *arguments, "--dry-run")
    assert (dry.returncode, dry.stdout, dry.stderr) == (done.returncode, "", done.stderr)
    assert len(call_json(home, "ls")) == before


def test_a_dry_run_begins_from_a_run_without_starting_anything(home: Path) -> None:
    before = len(call_json(home, "ls"))
    done = call(home, "train", "digits", *tiny(), *TUNED, "--from", "base@20", "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    assert 'objective = "consistency"' in done.stdout
    missing = call(home, "train", "digits", *tiny(), "--from", "base@7", "--dry-run")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "has no whole checkpoint of step 7" in missing.stderr
    assert len(call_json(home, "ls")) == before


def test_it_draws_in_one_step_and_in_four(home: Path) -> None:
    for steps in ("1", "4"):
        done = call(home, "sample", "student", "-n", "4", "--steps", steps)
        assert done.returncode == 0, done.stderr
        (sample,) = call_json(home, "show", "last")["samples"]
        assert (sample["sampler"], sample["sampler_steps"]) == ("consistency", int(steps))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sample", "student", "--sampler", "ddim"], "sampling.sampler: ddim takes small steps"),
        (["likelihood", "student"], "was tuned to draw in few steps"),
        (["restore", "student", "digits:train", "--degrade"], "was tuned to draw in few steps"),
        (["sample", "base", "--sampler", "consistency"], "consistency needs a network that was tuned for it"),
    ],
)
def test_what_it_cannot_do_is_one_line(home: Path, arguments: list[str], message: str) -> None:
    done = call(home, *arguments)
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
