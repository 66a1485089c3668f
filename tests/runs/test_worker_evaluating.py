"""Evaluations as runs of their own and inside of trainings, in the processes that do them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddpm.config import EvaluationConfig
from ddpm.images import save_png
from runs import home, launch, worker
from runs.directory import RunDirectory
from runs.home import Home
from tests.runs.processes import events, kill_all, make, process, tiny, wait_at_work, wait_end, wait_for
from tests.runs.test_worker import last, work


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Home]:
    place = home.find(str(tmp_path / "home"))
    yield place
    kill_all(place)


def of_kind(run: RunDirectory, kind: str) -> list[dict[str, Any]]:
    return [event for event in events(run) if event["event"] == kind]


def result(run: RunDirectory) -> dict[str, Any]:
    """The one Evaluated of a run, without what two equal ones may differ in."""
    (found,) = of_kind(run, "evaluated")
    return {name: v for name, v in found.items() if name != "time" and not name.endswith("_seconds")}


def test_what_is_no_weights_is_one_line_in_record_and_log(at: Home, tmp_path: Path) -> None:
    parent = make(at)
    assert work(parent).returncode == 0
    wrong = tmp_path / "wrong.pth"
    wrong.write_bytes(b"none")
    run = make(
        at,
        "judged",
        kind="evaluate",
        checkpoint=parent.path / "checkpoints" / "00000020",
        inception=wrong,
    )
    done = work(run)
    assert done.returncode == 1
    ended = last(run)
    assert (ended["step"], ended["images_seen"]) == (20, 160)
    assert str(ended["message"]).endswith("wrong.pth is not a file of weights: nothing could be read from it")
    assert done.stderr.splitlines()[-1] == ended["message"]


def test_without_a_checkpoint_there_is_nothing_to_evaluate(at: Home) -> None:
    run = make(at, kind="evaluate")
    assert work(run).returncode == 1
    assert last(run)["message"] == "run.json names no checkpoint to evaluate from"


def test_a_training_that_cannot_evaluate_says_so_and_finishes(at: Home, tmp_path: Path) -> None:
    run = make(at, "some run", "evaluation.every=10", inception=tmp_path / "gone.pth")
    done = work(run)
    assert done.returncode == 0
    (notice,) = of_kind(run, "notice")
    assert "gone.pth does not exist; the training goes on without evaluating itself" in notice["text"]
    assert notice["text"] in done.stderr
    assert events(run)[-1]["status"] == "finished"


# -- with the true network --------------------------------------------------------------------------


@pytest.fixture
def inception(real_data: Path) -> Path:
    return real_data / "inception" / "pt-inception-trunk.pth"


def pictures(folder: Path) -> Path:
    """Four images of 8×8: a data set whose reference takes no time."""
    folder.mkdir()
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)
        save_png(folder / f"{number}.png", pixels)
    return folder


def trained(at: Home, folder: Path, *settings: str, **identity: Any) -> RunDirectory:
    """A training on a folder of pictures, run to its end."""
    config = tiny(
        "data.dataset=folder", f"data.root={pictures(folder)}", "data.image_size=8", "training.batch_size=4",
        *settings,
    )  # fmt: skip
    run = RunDirectory.create(
        at, name="pictures", kind="train", config=config, data_root=folder, device="cpu", **identity
    )
    done = work(run)
    assert done.returncode == 0, done.stderr
    return run


@pytest.mark.real_data
def test_an_evaluation_killed_half_way_is_resumed_to_the_same_scores(
    at: Home, tmp_path: Path, inception: Path
) -> None:
    parent = trained(at, tmp_path / "pictures")
    settings = EvaluationConfig(samples=24, weights=str(inception))
    sampling = parent.config().sampling.model_copy(update={"batch_size": 8, "steps": 2})
    runs = [
        launch.new_evaluation(at, parent, 20, settings, sampling, device="cpu", name=name)
        for name in ("whole", "killed")
    ]
    whole, killed = runs
    rows = killed.path / "evaluation" / "inception.f32"
    wait_for(lambda: rows.exists() and rows.stat().st_size >= 8 * 2048 * 4, 300)
    os.kill(process(killed, "worker"), signal.SIGKILL)
    assert wait_end(killed) == "failed"
    assert not of_kind(killed, "evaluated")
    kept = rows.stat().st_size // (8 * 2048 * 4) * 8
    launch.resume(killed)
    assert wait_end(killed, 300) == wait_end(whole, 300) == "finished"
    again = next(e for e in reversed(events(killed)) if e["event"] == "started")
    later = events(killed)[events(killed).index(again) :]
    first = next(e for e in later if e["event"] == "evaluating" and e["stage"] == "samples")
    assert first["done"] == kept >= 8
    assert result(killed) == result(whole)
    assert (killed.path / "samples/grid.png").exists()
    assert not (killed.path / "evaluation").exists()
    assert "FID" in killed.log_path.read_text()
    assert json.dumps(result(killed)["protocol"], allow_nan=False)


@pytest.mark.real_data
def test_a_training_records_its_own_evaluations(at: Home, tmp_path: Path, inception: Path) -> None:
    run = trained(
        at, tmp_path / "pictures", "evaluation.every=10", "evaluation.samples=8", inception=inception
    )
    assert [event["step"] for event in of_kind(run, "evaluated")] == [10, 20]
    assert [e["text"] for e in of_kind(run, "notice")] == ["no floor is told: a folder has no other split"]
    assert list((at.references).glob("folder-train-*.npz"))
    wait_at_work(run, "ended")


def test_the_classifier_that_was_named_is_the_one_that_judges(at: Home, tmp_path: Path) -> None:
    run = make(at, "judged", f"evaluation.classifier={tmp_path / 'mine.safetensors'}", data_root=tmp_path)
    assert worker._places(run, run.config()).classifier == tmp_path / "mine.safetensors"
    plain = make(at, "plain", data_root=tmp_path)
    assert worker._places(plain, plain.config()).classifier is None
