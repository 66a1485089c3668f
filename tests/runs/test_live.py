"""A network kept ready: several grids of one process, cancelled at once, ended with whoever asked."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from runs import directory, interpreter
from runs.directory import RunDirectory
from runs.errors import RunError
from runs.home import Home, find
from runs.live import Drawing, Drawn, Live, Ready, Refused
from tests.runs.cli.command import call, tiny
from tests.runs.processes import make
from tests.runs.test_worker import work


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    home = find(str(tmp_path_factory.mktemp("home")))
    made = make(home, "base")
    assert work(made).returncode == 0
    return made


@pytest.fixture
def live(run: RunDirectory) -> Iterator[Live]:
    found = Live(run, device="cpu")
    yield found
    found.close()


def until(live: Live, number: int) -> Drawn | Refused:
    return next(a for a in live.answers() if isinstance(a, Drawn | Refused) and a.id == number)


def pixels(found: Drawn | Refused) -> np.ndarray:
    assert isinstance(found, Drawn), found
    return np.asarray(Image.open(io.BytesIO(found.png)))


def test_one_process_draws_again_and_again(live: Live) -> None:
    assert isinstance(next(live.answers()), Ready)
    asked = {"sampler": "ddim", "steps": 3, "count": 4, "seed": 1}
    first = until(live, live.ask(asked))
    again, other = until(live, live.ask(asked)), until(live, live.ask({**asked, "seed": 2}))
    assert isinstance(first, Drawn)
    assert (first.evaluations, first.count) == (3, 4)
    assert first.seconds > 0
    assert np.array_equal(pixels(first), pixels(again))
    assert not np.array_equal(pixels(first), pixels(other))
    counted = until(live, live.ask({**asked, "sampler": "heun"}))
    assert isinstance(counted, Drawn)
    assert counted.evaluations == 5


def test_its_images_are_those_of_a_recorded_run(tmp_path: Path) -> None:
    done = call(tmp_path, "train", "digits", *tiny(), "--name", "base", timeout=300)
    assert done.returncode == 0, done.stderr
    drawn = call(tmp_path, "sample", "base", "-n", "4", "--steps", "3", "--seed", "5", "--sampler", "ddim")
    assert drawn.returncode == 0, drawn.stderr
    runs = {run.name: run for run in directory.all(find(str(tmp_path)))}
    live = Live(runs["base"], device="cpu")
    try:
        found = until(live, live.ask({"sampler": "ddim", "steps": 3, "count": 4, "seed": 5}))
    finally:
        live.close()
    grid = next(run.path for name, run in runs.items() if name != "base") / "samples" / "grid.png"
    assert np.array_equal(pixels(found), np.asarray(Image.open(grid)))


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"steps": 5000}, "sampling.steps: 5000 is above diffusion.timesteps 1000"),
        ({"sampler": "nope"}, "sampling.sampler: 'nope' is not one of"),
        ({"sampler": "consistency"}, "sampling.sampler: consistency needs a network"),
        ({"guidance": 2}, "sampling.guidance: 2 needs a network that is told of classes"),
        ({"count": 65}, "sampling.count: 65 is above 64"),
        ({"ema": False}, "sampling.ema: the weights are loaded"),
        ({"guidance_step": 10}, "sampling.guidance_step: the weights are loaded"),
        ({"what": 1}, "sampling.what: no such key"),
    ],
)
def test_what_cannot_be_is_one_line_and_the_process_goes_on(live: Live, asked: dict, error: str) -> None:
    refused = until(live, live.ask(asked))
    assert isinstance(refused, Refused)
    assert refused.error is not None
    assert error in refused.error
    assert isinstance(until(live, live.ask({"steps": 1, "count": 1})), Drawn)


def test_what_was_asked_before_a_cancellation_is_dropped(live: Live) -> None:
    numbers = [live.ask({"sampler": "ddpm", "count": 64, "seed": seed}) for seed in range(8)]
    live.cancel()
    last = live.ask({"steps": 1, "count": 1})
    found = {}
    for answer in live.answers():
        if isinstance(answer, Drawn | Refused):
            found[answer.id] = answer
            if answer.id == last:
                break
    assert sorted(found) == [*numbers, last]
    dropped = [number for number in numbers if isinstance(found[number], Refused)]
    assert len(dropped) >= len(numbers) - 2
    assert all(found[number].error is None for number in dropped)  # type: ignore[union-attr]


def test_a_long_one_tells_how_far_it_is(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    number = live.ask({"sampler": "ddpm", "steps": 10, "count": 64})
    told = []
    for answer in live.answers():
        if isinstance(answer, Drawing):
            told.append((answer.done, answer.total))
        if isinstance(answer, Drawn) and answer.id == number:
            break
    assert told == sorted(told)
    assert all(0 < done < total == 10 for done, total in told)


def test_it_is_gone_when_it_is_closed_and_says_so_when_it_dies(run: RunDirectory) -> None:
    live = Live(run, device="cpu")
    assert isinstance(next(live.answers()), Ready)
    process = psutil.Process(live.pid)
    process.kill()
    with pytest.raises(RunError, match="the network could not be kept ready: its process ended"):
        list(live.answers())
    live.ask({})  # into nothing
    live.close()
    other = Live(run, device="cpu")
    number = other.pid
    other.close()
    assert not psutil.pid_exists(number)
    assert list(other.answers()) == []


def test_a_checkpoint_that_is_none_is_told_in_one_line(run: RunDirectory, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(run.path, tmp_path / "copy")
    copy = RunDirectory(tmp_path / "copy")
    (copy.path / "checkpoints" / "00000020" / "ema.safetensors").write_bytes(
        b"x" * (copy.path / "checkpoints" / "00000020" / "ema.safetensors").stat().st_size
    )
    live = Live(copy, device="cpu")
    with pytest.raises(RunError, match="damaged"):
        list(live.answers())
    live.close()


def test_it_ends_with_its_standard_input_and_with_whoever_is_killed(run: RunDirectory) -> None:
    code = (
        "import sys, time; from pathlib import Path; from runs.directory import RunDirectory; "
        "from runs.live import Live; live = Live(RunDirectory(Path(sys.argv[1])), device='cpu'); "
        "next(live.answers()); live.ask({'sampler': 'ddpm', 'count': 64}); print(live.pid, flush=True); "
        "time.sleep(60)"
    )
    asker = subprocess.Popen(
        [sys.executable, "-c", code, str(run.path)],
        stdout=subprocess.PIPE,
        text=True,
        env=interpreter.environment(),
    )
    assert asker.stdout is not None
    number = int(json.loads(asker.stdout.readline()))
    asker.kill()
    asker.wait()
    asker.stdout.close()
    end = time.monotonic() + 20
    while psutil.pid_exists(number):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert os.getpid() != number


def test_of_a_run_that_draws_nothing_there_is_none(tmp_path: Path) -> None:
    home: Home = find(str(tmp_path))
    made = make(home, "judged", kind="evaluate")
    with pytest.raises(RunError, match="only trainings have checkpoints"):
        Live(made)
