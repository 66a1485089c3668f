"""A training that evaluates itself: its weights do not know, and nothing about it ends the training."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ddpm import checkpoint, subject
from ddpm.config import Config
from ddpm.errors import EngineError
from ddpm.evaluation import examiner
from ddpm.evaluation.drawnfeatures import FOLDER, DrawnFeatures
from ddpm.evaluation.places import Places
from ddpm.evaluation.progress import Progress, Steps
from ddpm.events import Ended, Evaluated, Evaluating, Event, Metrics, Notice, Started
from ddpm.samplers.steps import SampleStep
from ddpm.training import Training
from tests.ddpm.evaluation.judging import Projection, places, scores, settings, use
from tests.ddpm.test_training import blobs, of_kind

NO_FLOOR = "no floor is told: digits has no other split"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Places:
    """Where the reference stays, computed once for all tests."""
    return places(tmp_path_factory.mktemp("kept"))


def config(*more: str) -> Config:
    """Eight steps with checkpoints at 4 and 8, evaluations of 40 images at 3, 6 and 8."""
    return settings("evaluation.every=3", "evaluation.samples=40", *more)


def training(directory: Path, kept: Places | None, *more: str) -> Training:
    return Training(config(*more), directory, device="cpu", data_root=directory, places=kept)


def scored(events: list[Event]) -> list[dict[str, object]]:
    return [scores(event) for event in events if isinstance(event, Evaluated)]


def notices(events: list[Event]) -> list[str]:
    """But for the one that every evaluation of digits begins with."""
    return [e.text for e in events if isinstance(e, Notice) and e.text != NO_FLOOR]


@dataclasses.dataclass
class Undisturbed:
    weights: dict[str, bytes]
    scores: list[dict[str, object]]


@pytest.fixture(scope="module")
def undisturbed(kept: Places, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    directory = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        use(patch, inception=Projection())
        events = list(training(directory, kept))
    assert not (directory / FOLDER).exists()
    assert not notices(events)
    assert events.count(Notice(NO_FLOOR)) == 1
    return Undisturbed(blobs(directory, 8), scored(events))


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, inception=Projection())


def test_it_evaluates_at_its_intervals_and_at_its_end(undisturbed: Undisturbed) -> None:
    assert [found["step"] for found in undisturbed.scores] == [3, 6, 8]
    assert [found["images_seen"] for found in undisturbed.scores] == [48, 96, 128]
    assert len({found["fid"] for found in undisturbed.scores}) == 3
    assert len({found["protocol_id"] for found in undisturbed.scores}) == 1


def test_weights_are_the_same_with_and_without(
    tmp_path: Path, kept: Places, undisturbed: Undisturbed
) -> None:
    events = list(training(tmp_path, kept, "evaluation.every=0"))
    assert not of_kind(events, Evaluating)
    assert not of_kind(events, Evaluated)
    assert blobs(tmp_path, 8) == undisturbed.weights


def test_it_compiles_nothing_to_draw_by(
    tmp_path: Path, kept: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A compilation that fails would drop all that is compiled, and with it the network that learns."""
    asked: list[object] = []
    monkeypatch.setattr(torch, "compile", lambda network, **_: asked.append(network) or network)
    events = list(training(tmp_path, kept, "sampling.compile=on"))
    assert len(scored(events)) == 3
    assert (asked, notices(events)) == ([], [])


def test_time_for_evaluating_counts_for_no_step(tmp_path: Path, kept: Places) -> None:
    """What was measured so far is told before: its clock does not run on meanwhile."""
    events = list(training(tmp_path, kept, "training.log_every=100"))
    told = [(type(e), e.step) for e in events if isinstance(e, Metrics | Evaluated)]
    assert told.index((Metrics, 3)) < told.index((Evaluated, 3))


def test_the_plain_weights_are_judged_where_they_are_asked_for(
    tmp_path: Path, kept: Places, undisturbed: Undisturbed
) -> None:
    found = scored(list(training(tmp_path, kept, "sampling.ema=false")))
    assert found[0]["protocol"]["sampling"]["weights"] == "model"  # type: ignore[index]
    assert found[0]["fid"] != undisturbed.scores[0]["fid"]
    assert blobs(tmp_path, 8) == undisturbed.weights


# -- stopped and killed in the middle ---------------------------------------------------------------


class Killed(BaseException):
    """Ends the work as a kill does: nothing in the engine catches it."""


def drawing_at(events: list[Event], step: int) -> bool:
    return any(isinstance(e, Evaluating) and e.stage == "samples" and e.step == step for e in events)


@pytest.mark.parametrize("step", [3, 8])
def test_a_stop_ends_an_evaluation_which_is_gone_on_with(
    tmp_path: Path, kept: Places, undisturbed: Undisturbed, step: int
) -> None:
    first, events = training(tmp_path, kept), list[Event]()
    for event in first:
        events.append(event)
        if drawing_at(events, step):
            first.stop()
    assert events[-1] == Ended("stopped", step, 16 * step)
    assert checkpoint.steps(tmp_path)[-1] == step
    again = list(training(tmp_path, kept))
    assert again[0].step == step  # type: ignore[union-attr]
    assert again[-1] == Ended("finished", 8, 128)
    assert scored(events) + scored(again) == undisturbed.scores
    assert blobs(tmp_path, 8) == undisturbed.weights


def test_a_stop_while_the_reference_is_computed_loses_no_evaluation(
    tmp_path: Path, undisturbed: Undisturbed
) -> None:
    """The first evaluation may wait hours for it, and a stop then comes before any image is drawn."""
    fresh = places(tmp_path / "home")
    first, events = training(tmp_path / "run", fresh), list[Event]()
    for event in first:
        events.append(event)
        if isinstance(event, Evaluating) and event.stage == "reference":
            first.stop()
    assert events[-1] == Ended("stopped", 3, 48)
    assert not drawing_at(events, 3)
    assert scored(list(training(tmp_path / "run", fresh))) == undisturbed.scores


def test_a_kill_after_the_checkpoint_loses_no_drawn_image(
    tmp_path: Path, kept: Places, undisturbed: Undisturbed
) -> None:
    append = DrawnFeatures.append

    def dying(self: DrawnFeatures, features: dict[str, Tensor]) -> None:
        append(self, features)
        raise Killed

    more = ("training.checkpoint_every=3",)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DrawnFeatures, "append", dying)
        with pytest.raises(Killed):
            list(training(tmp_path, kept, *more))
    events = list(training(tmp_path, kept, *more))
    assert events[0].step == 3  # type: ignore[union-attr]
    (first,) = (e for e in events[:3] if isinstance(e, Evaluating))
    assert (first.step, first.stage, first.done) == (3, "samples", 32)
    assert scored(events) == undisturbed.scores
    assert blobs(tmp_path, 8) == undisturbed.weights


def test_a_kill_without_a_checkpoint_leaves_nothing_to_go_on_from(
    tmp_path: Path, kept: Places, undisturbed: Undisturbed
) -> None:
    for event in training(tmp_path, kept):
        if isinstance(event, Evaluating) and (event.step, event.stage) == (6, "scores"):
            break  # and the work is never taken up again
    assert (tmp_path / FOLDER).exists()
    events = iter(training(tmp_path, kept))
    started = next(events)
    assert isinstance(started, Started)
    assert started.step == 4
    next(events)
    assert not (tmp_path / FOLDER).exists()
    assert scored(list(events)) == undisturbed.scores[1:]
    assert blobs(tmp_path, 8) == undisturbed.weights


def test_a_finished_run_that_is_extended_is_not_judged_twice(tmp_path: Path, kept: Places) -> None:
    list(training(tmp_path, kept, "training.steps=4"))
    events = list(training(tmp_path, kept))
    assert [found["step"] for found in scored(events)] == [6, 8]


# -- what goes wrong --------------------------------------------------------------------------------


def test_missing_weights_are_told_before_the_first_step_and_once(
    tmp_path: Path, kept: Places, undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # the true networks
    events = list(training(tmp_path, dataclasses.replace(kept, weights=tmp_path / "none.pth")))
    (text,) = notices(events)
    assert isinstance(events[1], Notice)
    assert "none.pth does not exist; the training goes on without evaluating itself" in text
    assert not scored(events)
    assert events[-1] == Ended("finished", 8, 128)
    assert blobs(tmp_path, 8) == undisturbed.weights


def test_a_training_without_places_says_so(tmp_path: Path) -> None:
    events = list(training(tmp_path, None))
    assert notices(events) == [
        "evaluation.every: no places to evaluate with were given; the training goes on without"
    ]
    assert events[-1] == Ended("finished", 8, 128)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (EngineError("the data are gone"), "step 6 was not evaluated: the data are gone"),
        (MemoryError(), "step 6 was not evaluated: out of memory on cpu: try a sampling.batch_size below 32"),
        (OSError(28, "No space left on device"), "step 6 was not evaluated: OSError: [Errno 28] No space"),
        (ValueError("two\nlines"), "step 6 was not evaluated: ValueError: two lines"),
    ],
)
def test_what_goes_wrong_is_told_and_the_training_goes_on(
    tmp_path: Path,
    kept: Places,
    undisturbed: Undisturbed,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    told: str,
) -> None:
    original = subject.draw
    trained = training(tmp_path, kept)

    def failing(*given: object, **named: object) -> Iterator[SampleStep]:
        if trained.step == 6:
            raise error
        yield from original(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(subject, "draw", failing)
    events = list(trained)
    (text,) = notices(events)
    assert text.startswith(told)
    assert [found["step"] for found in scored(events)] == [3, 8]
    assert not (tmp_path / FOLDER).exists()
    assert events[-1] == Ended("finished", 8, 128)
    assert blobs(tmp_path, 8) == undisturbed.weights


def test_a_stop_while_weights_are_fetched_is_a_stop(
    tmp_path: Path, kept: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = training(tmp_path, kept)

    def fetching(*_: object) -> Steps[dict[str, Projection]]:
        while True:
            yield Progress(1, 10)

    monkeypatch.setattr(examiner, "networks", fetching)
    events = []
    for event in trained:
        events.append(event)
        if isinstance(event, Notice):
            trained.stop()
    assert notices(events) == ["downloading the weights of the FID Inception network"]
    assert events[-1] == Ended("stopped", 0, 0)
