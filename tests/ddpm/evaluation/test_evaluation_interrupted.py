"""An evaluation that is killed or stopped, at whatever moment, goes on and ends in the same bytes."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from torch import Tensor

from ddpm import subject
from ddpm.config import Config
from ddpm.evaluation import drawnfeatures, pace
from ddpm.evaluation.drawnfeatures import FOLDER, DrawnFeatures
from ddpm.evaluation.evaluation import Evaluation
from ddpm.events import Ended, Evaluated, Evaluating, Event, Started
from ddpm.samplers.steps import SampleStep
from tests.ddpm.evaluation.judging import Projection, evaluation, scores, settings, use


class Killed(BaseException):
    """Ends the work as a kill does: nothing in the engine catches it."""


@dataclass
class Outcome:
    """What came of an evaluation that went to its end, and how many images it began with."""

    began_with: int
    files: dict[str, bytes]  #: the features, as they are before they go
    scores: dict[str, object]
    grid: bytes


def outcome(work: Evaluation, directory: Path) -> Outcome:
    drawn, files, found = None, {}, None
    for event in work:
        if isinstance(event, Evaluating) and event.stage == "samples" and drawn is None:
            drawn = event.done
        if isinstance(event, Evaluating) and event.stage == "scores":
            files = {path.name: path.read_bytes() for path in (directory / FOLDER).glob("*.f32")}
        if isinstance(event, Evaluated):
            found = event
    assert drawn is not None
    assert found is not None
    assert not (directory / FOLDER).exists()
    return Outcome(drawn, files, scores(found), (directory / "samples/grid.png").read_bytes())


def two_networks(patch: pytest.MonkeyPatch) -> None:
    use(patch, inception=Projection(6), classifier=Projection(4))


@pytest.fixture(scope="module")
def undisturbed(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    directory = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        two_networks(patch)
        result = outcome(evaluation(settings(), trained, directory), directory)
    assert {name: len(content) for name, content in result.files.items()} == {
        "inception.f32": 70 * 6 * 4,
        "classifier.f32": 70 * 4 * 4,
        "pixels.f32": 64 * 8 * 8 * 4,
    }
    return result


def die() -> None:
    raise Killed


def in_a_step(patch: pytest.MonkeyPatch, number: int, die: Callable[[], None] = die) -> None:
    """Killed after so many steps of the sampler; a batch has three."""
    steps, original = iter(range(1, 100)), subject.draw

    def dying(*given: object, **named: object) -> Iterator[SampleStep]:
        for step in original(*given, **named):  # type: ignore[arg-type]
            if next(steps) > number:
                die()
            yield step

    patch.setattr(subject, "draw", dying)


def in_the_midst_of_writing(patch: pytest.MonkeyPatch) -> None:
    """Killed while the second batch is written: one file has all of it, the other a part of a row."""
    original = DrawnFeatures.append

    def torn(self: DrawnFeatures, features: dict[str, Tensor]) -> None:
        if not self.done:
            original(self, features)
            return
        original(self, {"inception": features["inception"]})
        with (self._folder / "classifier.f32").open("ab") as file:
            file.write(b"\0" * 21)
        raise Killed

    patch.setattr(DrawnFeatures, "append", torn)


def before_the_grid(patch: pytest.MonkeyPatch) -> None:
    def dying(*_: object) -> None:
        raise Killed

    patch.setattr(Evaluation, "_grid", dying)


def before_its_features_go(patch: pytest.MonkeyPatch) -> None:
    def dying(*_: object) -> None:
        raise Killed

    patch.setattr(DrawnFeatures, "remove", dying)


MOMENTS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], int]] = {
    "first batch": (lambda patch: in_a_step(patch, 1), 0),
    "second batch": (lambda patch: in_a_step(patch, 5), 32),
    "last batch": (lambda patch: in_a_step(patch, 7), 64),
    "writing": (in_the_midst_of_writing, 32),
    "grid": (before_the_grid, 32),
    "end": (before_its_features_go, 70),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_it_goes_on_to_the_same_bytes(
    trained: Path, tmp_path: Path, undisturbed: Outcome, moment: str
) -> None:
    arrange, kept = MOMENTS[moment]
    with pytest.MonkeyPatch.context() as patch:
        two_networks(patch)
        arrange(patch)
        with pytest.raises(Killed):
            list(evaluation(settings(), trained, tmp_path))
    with pytest.MonkeyPatch.context() as patch:
        two_networks(patch)
        again = outcome(evaluation(settings(), trained, tmp_path), tmp_path)
    assert again.began_with == kept
    assert (again.files, again.scores) == (undisturbed.files, undisturbed.scores)
    assert again.grid == undisturbed.grid


KILLED = """
import os, signal, sys
from pathlib import Path
import pytest
from tests.ddpm.evaluation.judging import evaluation, settings
from tests.ddpm.evaluation.test_evaluation_interrupted import in_a_step, two_networks

patch = pytest.MonkeyPatch()
two_networks(patch)
in_a_step(patch, 7, lambda: os.kill(os.getpid(), signal.SIGKILL))
list(evaluation(settings(), Path(sys.argv[1]), Path(sys.argv[2])))
"""


def test_a_process_killed_with_minus_nine_is_gone_on_with(
    trained: Path, tmp_path: Path, undisturbed: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-c", KILLED, str(trained), str(tmp_path)]
    root = Path(__file__).parents[3]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    two_networks(monkeypatch)
    again = outcome(evaluation(settings(), trained, tmp_path), tmp_path)
    assert again.began_with == 64
    assert (again.files, again.scores) == (undisturbed.files, undisturbed.scores)


# -- stopped, or changed in between -----------------------------------------------------------------


def until_drawn(images: int, work: Evaluation) -> list[Event]:
    """All events; a stop is asked for as soon as they tell of so many images."""
    events = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pace, "_SECONDS", 0.0)  # all is told, however fast it goes
        for event in work:
            events.append(event)
            if isinstance(event, Evaluating) and event.stage == "samples" and event.done >= images:
                work.stop()
    return events


def test_a_stop_ends_it_before_the_next_step(
    trained: Path, tmp_path: Path, undisturbed: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_networks(monkeypatch)
    events = until_drawn(64, evaluation(settings(), trained, tmp_path))
    assert events[-1] == Ended("stopped", 20, 320)
    assert not any(isinstance(event, Evaluated) for event in events)
    assert (tmp_path / FOLDER).exists()
    again = outcome(evaluation(settings(), trained, tmp_path), tmp_path)
    assert again.began_with == 64
    assert (again.files, again.scores) == (undisturbed.files, undisturbed.scores)


def test_a_stop_does_not_wait_for_a_whole_batch_of_features(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts: list[int] = []
    work = evaluation(settings(), trained, tmp_path)

    def count(images: Tensor) -> None:
        if len(images) == 8:
            parts.append(len(images))
            work.stop()

    use(monkeypatch, inception=Projection(before=count))
    assert list(work)[-1] == Ended("stopped", 20, 320)
    assert parts == [8]


def test_a_stop_while_the_reference_is_computed(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    work = evaluation(settings(), trained, tmp_path)

    def count(images: Tensor) -> None:
        seen.append(len(images))
        work.stop()

    use(monkeypatch, inception=Projection(9, before=count))
    assert list(work)[-1] == Ended("stopped", 20, 320)
    assert len(seen) == 1
    assert sum(seen) < 1797


def test_a_stop_asked_for_beforehand_begins_nothing(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_networks(monkeypatch)
    work = evaluation(settings(), trained, tmp_path)
    work.stop()
    events = list(work)
    assert isinstance(events[0], Started)
    assert events[1:] == [Ended("stopped", 20, 320)]


@pytest.mark.parametrize("change", ["sampling.seed=4", "sampling.batch_size=16", "evaluation.samples=65"])
def test_features_of_other_images_are_not_taken_up(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    two_networks(monkeypatch)

    def left_half_done(directory: Path, config: Config) -> None:
        until_drawn(32, evaluation(config, trained, directory))
        assert drawnfeatures.step_of(directory / FOLDER) == 20

    left_half_done(tmp_path / "a", settings())
    changed = outcome(evaluation(settings(change), trained, tmp_path / "a"), tmp_path / "a")
    fresh = outcome(evaluation(settings(change), trained, tmp_path / "b"), tmp_path / "b")
    assert changed.began_with == 0
    assert (changed.files, changed.scores) == (fresh.files, fresh.scores)
