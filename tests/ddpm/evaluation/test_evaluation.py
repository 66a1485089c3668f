"""Evaluating runs: what they tell, that their numbers are right, and what stops them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import safetensors.torch
import torch

from ddpm import checkpoint, data, subject
from ddpm.errors import EngineError
from ddpm.evaluation import examiner, statfile
from ddpm.evaluation.classifier import Classifier, ClassifierFeatures
from ddpm.evaluation.evaluation import Evaluation
from ddpm.evaluation.moments import statistics_of
from ddpm.evaluation.scores import score
from ddpm.events import Ended, Evaluated, Evaluating, Event, Notice, SamplesWritten, Started
from ddpm.images import read_png_text, to_uint8
from ddpm.samplers.steps import SampleStep
from ddpm.sampling import batches, draw
from ddpm.training import Training
from tests.ddpm.evaluation.judging import Projection, evaluation, places, settings, use
from tests.ddpm.writers import write_mnist


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, inception=Projection())


def evaluate(trained: Path, directory: Path, *more: str) -> list[Event]:
    return list(evaluation(settings(*more), trained, directory))


def found(events: list[Event]) -> Evaluated:
    (event,) = (e for e in events if isinstance(e, Evaluated))
    return event


@pytest.mark.usefixtures("_small")
def test_an_evaluation_tells_its_whole_story(trained: Path, tmp_path: Path) -> None:
    events = evaluate(trained, tmp_path)
    assert isinstance(events[0], Started)
    assert (events[0].step, events[0].images_seen, events[0].dataset_size) == (20, 320, 70)
    stages = [e for e in events if isinstance(e, Evaluating)]
    assert all((e.step, e.images_seen) == (20, 320) for e in stages)
    drawn = [e for e in stages if e.stage == "samples"]
    assert (drawn[0].done, drawn[-1].done, drawn[-1].total) == (0, 70, 70)
    assert [e.done for e in stages if e.stage == "scores"] == [0, 70]
    (grid,) = (e for e in events if isinstance(e, SamplesWritten))
    assert (grid.path, grid.count, grid.sampler_steps) == ("samples/grid.png", 64, 3)
    assert '"checkpoint": "run/checkpoints/00000020"' in read_png_text(tmp_path / grid.path)["Settings"]
    assert isinstance(events[-2], Evaluated)
    assert events[-1] == Ended("finished", 20, 320)
    assert [path.name for path in tmp_path.iterdir()] == ["samples"]  # the features are gone


@pytest.mark.usefixtures("_small")
def test_the_scores_are_those_of_the_pixels_that_are_drawn(trained: Path, tmp_path: Path) -> None:
    config = settings("evaluation.companions=true", "sampling.seed=5")
    event = found(list(evaluation(config, trained, tmp_path)))
    source = subject.from_checkpoint(trained, config, torch.device("cpu"))
    pixels = []
    for images in batches(config.sampling, 70):
        *_, last = draw(source.network, config, images)
        pixels.append(to_uint8(last.x_t))
    network = Projection()
    real = network(data.load(config.data, tmp_path).images).numpy()
    wanted = score(network(torch.cat(pixels)).numpy(), statistics_of(real), real)
    assert event.fid == pytest.approx(wanted.fid, rel=1e-6)
    assert event.recall == wanted.recall
    assert event.coverage == wanted.coverage
    assert event.fid > 0.01


@pytest.mark.usefixtures("_small")
def test_the_protocol_says_what_was_compared_with_what(trained: Path, tmp_path: Path) -> None:
    event = found(evaluate(trained, tmp_path, "evaluation.companions=true", "sampling.eta=0.5"))
    protocol = event.protocol
    assert protocol["features"]["network"] == "projection-6"
    assert protocol["reference"]["dataset"] == "digits"
    assert protocol["reference"]["images"] == 1797
    assert protocol["samples"] == event.samples == 70
    assert protocol["sampling"] == {
        "sampler": "ddim", "steps": 3, "spacing": "uniform", "eta": 0.5, "variance": None,
        "weights": "ema", "ema_decay": 0.99,
    }  # fmt: skip
    assert protocol["companions"]["reference_features"] == 1797
    json.dumps(protocol, allow_nan=False)
    same = found(evaluate(trained, tmp_path / "b", "sampling.eta=0.5", "sampling.seed=9"))
    other = found(evaluate(trained, tmp_path / "c"))
    assert event.protocol_id == same.protocol_id  # the seed is the subject's, companions are not ranked by
    assert event.protocol_id != other.protocol_id
    assert same.fid != event.fid
    assert same.kid is None
    assert same.protocol["companions"] is None


def test_noise_that_ddpm_does_not_have_is_in_no_protocol(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, inception=Projection())
    more = ("sampling.sampler=ddpm", "sampling.ema=false", "evaluation.samples=2")
    one, other = (
        found(evaluate(trained, tmp_path / eta, *more, f"sampling.eta={eta}")) for eta in ("0.1", "0.9")
    )
    assert one.protocol == other.protocol
    assert one.fid == other.fid
    assert (one.protocol["sampling"]["weights"], one.protocol["sampling"]["ema_decay"]) == ("model", None)


def test_a_second_network_gives_a_distance_of_its_own(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, inception=Projection(6), classifier=Projection(4))
    both = found(evaluate(trained, tmp_path / "both"))
    use(monkeypatch, inception=Projection(4))
    alone = found(evaluate(trained, tmp_path / "alone"))
    assert both.classifier_fd == alone.fid
    assert both.protocol["companions"] == {"classifier": "00" * 32}
    assert alone.classifier_fd is None


@pytest.mark.real_data
def test_digits_of_mnist_are_also_judged_by_the_classifier(
    tmp_path: Path, real_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its reference comes with the package; what a network of two steps draws is far above the floor."""
    config = settings("data.dataset=mnist", "training.steps=2", "sampling.steps=2")
    list(Training(config, tmp_path, device="cpu", data_root=real_data))
    use(monkeypatch, inception=Projection(), classifier=ClassifierFeatures())
    kept = dataclasses.replace(places(tmp_path), data_root=real_data)
    work = Evaluation(config, checkpoint.folder(tmp_path, 2), tmp_path, places=kept, device="cpu")
    event = found(list(work))
    assert not list(kept.references.glob("*classifier*.npz"))
    assert event.floor is not None
    assert event.classifier_fd > 10 * event.floor["classifier_fd"] > 0
    assert event.fid > 10 * event.floor["fid"] > 0
    assert event.floor["split"] == "test"
    assert event.protocol["companions"] == {"classifier": ClassifierFeatures().identity["weights"]}


def test_a_classifier_of_one_s_own_is_taken_and_part_of_the_protocol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its reference is computed; shipped statistics are of other weights. What its weights are is told."""
    own = tmp_path / "own.safetensors"
    torch.manual_seed(5)
    own.write_bytes(safetensors.torch.save(Classifier().state_dict()))
    write_mnist(tmp_path / "data", train=40, test=30)
    config = settings("data.dataset=mnist", "training.steps=2", "sampling.steps=2", "evaluation.samples=8")
    list(Training(config, tmp_path, device="cpu", data_root=tmp_path / "data"))

    def examined(classifier: Path | None) -> Evaluated:
        made = Projection()
        monkeypatch.setattr(examiner, "InceptionFeatures", lambda *_: made)
        kept = dataclasses.replace(places(tmp_path), weights=own, classifier=classifier)
        work = Evaluation(config, checkpoint.folder(tmp_path, 2), tmp_path, places=kept, device="cpu")
        return found(list(work))

    event, usual = examined(own), examined(None)
    identity = ClassifierFeatures(own).identity
    assert event.protocol["companions"] == {"classifier": identity["weights"]}
    assert usual.protocol["companions"] == {"classifier": ClassifierFeatures().identity["weights"]}
    assert event.protocol["features"]["classifier"] == identity["weights"]
    assert "classifier" not in usual.protocol["features"]
    assert event.protocol_id != usual.protocol_id
    assert event.classifier_fd != usual.classifier_fd
    assert event.floor is not None
    assert event.floor["classifier_fd"] > 0
    files = places(tmp_path).references.glob("mnist-train-*.npz")
    networks = [statfile.read_meta(path)["features"] for path in files]
    assert identity in networks


@pytest.mark.usefixtures("_small")
def test_why_there_is_no_floor_is_told(trained: Path, tmp_path: Path) -> None:
    events = evaluate(trained, tmp_path)
    assert Notice("no floor is told: digits has no other split") in events
    assert found(events).floor is None


# -- what goes wrong --------------------------------------------------------------------------------


def test_missing_weights_are_one_line_that_names_the_file(trained: Path, tmp_path: Path) -> None:
    kept = dataclasses.replace(places(tmp_path), weights=tmp_path / "none.pth")
    with pytest.raises(EngineError, match=r"none\.pth does not exist"):
        list(Evaluation(settings(), trained, tmp_path, places=kept, device="cpu"))


@pytest.mark.usefixtures("_small")
def test_a_part_of_the_data_set_that_is_not_there_is_one_line(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="digits has no test split"):
        evaluate(trained, tmp_path, "evaluation.reference=test")


@pytest.mark.usefixtures("_small")
def test_a_checkpoint_of_another_network_is_refused(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="does not fit this network"):
        evaluate(trained, tmp_path, "model.channels=16")


@pytest.mark.usefixtures("_small")
def test_memory_that_runs_out_is_one_clear_line(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object, **__: object) -> Iterator[SampleStep]:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(subject, "draw", exhausted)
    with pytest.raises(EngineError, match=r"out of memory on cpu: .*sampling\.batch_size below 32"):
        evaluate(trained, tmp_path)


def test_features_that_are_not_finite_are_one_clear_line(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Projection()
    use(monkeypatch, inception=network)
    evaluate(trained, tmp_path / "good")
    monkeypatch.setattr(Projection, "__call__", lambda self, images: torch.full((len(images), 6), torch.nan))
    with pytest.raises(EngineError, match="features of image 0 are not finite"):
        evaluate(trained, tmp_path / "bad")
