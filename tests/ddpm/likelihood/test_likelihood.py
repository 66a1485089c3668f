"""Runs that measure likelihood: what they tell, and that they go on to the same numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddpm import checkpoint
from ddpm.configfiles import ConfigError, override
from ddpm.errors import EngineError
from ddpm.events import BitsPerDim, Ended, Event, Notice, Started
from ddpm.likelihood.likelihood import Likelihood
from tests.ddpm.test_training import run, tiny

SETTINGS = ("likelihood.train=10", "likelihood.timesteps=6", "likelihood.batch_size=4")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("trained")
    run(tiny("training.steps=4", "training.checkpoint_every=100"), directory)
    return checkpoint.folder(directory, 4)


def likelihood(folder: Path, directory: Path, *settings: str) -> Likelihood:
    config = override(tiny(), [*SETTINGS, *settings])
    return Likelihood(config, folder, directory, data_root=directory, device="cpu")


def found(events: list[Event]) -> BitsPerDim:
    return next(e for e in reversed(events) if isinstance(e, BitsPerDim))


def test_it_tells_the_bits_of_the_images_asked_for(trained: Path, tmp_path: Path) -> None:
    events = list(likelihood(trained, tmp_path))
    assert isinstance(events[0], Started)
    assert events[0].dataset_size == 10
    assert events[0].precision == "float32"
    assert events[-1] == Ended("finished", 4, 64)
    told = found(events)
    assert (told.split, told.done, told.count, told.step) == ("train", 10, 10, 4)
    assert told.edges[-1] == tiny().diffusion.timesteps
    assert told.error is not None
    assert 0 < told.error < told.bits_per_dim


def test_a_run_that_was_stopped_goes_on_to_the_same_numbers(trained: Path, tmp_path: Path) -> None:
    whole = found(list(likelihood(trained, tmp_path / "whole")))
    stopped, events = likelihood(trained, tmp_path / "parts"), []
    calls = 0

    def rows(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 2:
            stopped.stop()
        return Likelihood._rows(stopped, *arguments)  # type: ignore[arg-type]

    stopped._rows = rows  # type: ignore[assignment, method-assign]
    events = list(stopped)
    assert events[-1] == Ended("stopped", 4, 64)
    again = list(likelihood(trained, tmp_path / "parts"))
    assert found(again) == whole
    assert sum(isinstance(e, BitsPerDim) for e in again) == 2  # what was done, then all
    for folder in ("whole", "parts"):
        assert (tmp_path / folder / "likelihood" / "train.f32").stat().st_size == 10 * 7 * 4
    same = [(tmp_path / f / "likelihood" / "train.f32").read_bytes() for f in ("whole", "parts")]
    assert same[0] == same[1]


def test_rows_of_a_batch_that_was_cut_short_are_computed_again(trained: Path, tmp_path: Path) -> None:
    whole = found(list(likelihood(trained, tmp_path)))
    file = tmp_path / "likelihood" / "train.f32"
    content = file.read_bytes()
    file.write_bytes(content[: 6 * 7 * 4 + 3])  # six images and some bytes of a seventh
    assert found(list(likelihood(trained, tmp_path))) == whole
    assert file.read_bytes() == content


def test_another_seed_takes_other_images_and_another_batch_size_the_same(
    trained: Path, tmp_path: Path
) -> None:
    first = found(list(likelihood(trained, tmp_path / "a")))
    other = found(list(likelihood(trained, tmp_path / "b", "likelihood.seed=1")))
    batched = found(list(likelihood(trained, tmp_path / "c", "likelihood.batch_size=7")))
    assert other.bits_per_dim != first.bits_per_dim
    assert batched.bits_per_dim == pytest.approx(first.bits_per_dim, rel=1e-5)


def test_more_images_than_there_are_is_all_of_them_and_said(trained: Path, tmp_path: Path) -> None:
    settings = ("likelihood.train=100000", "likelihood.timesteps=2", "likelihood.batch_size=1000")
    events = list(likelihood(trained, tmp_path, *settings))
    told = found(events)
    assert told.done == told.count < 100_000
    notice = f"the train part has {told.count} images: all of them are measured"
    assert Notice(notice) in events


def test_numbers_that_are_none_end_the_run_in_one_line(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ddpm.likelihood.terms import Terms

    monkeypatch.setattr(Terms, "prior", lambda self, x_0: x_0.flatten(1).mean(1) * float("nan"))
    with pytest.raises(EngineError, match="the bound of the train images is not finite"):
        list(likelihood(trained, tmp_path))


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        (["likelihood.timesteps=1001"], "likelihood.timesteps: 1001 is above diffusion.timesteps 1000"),
        (["data.dataset=digits", "likelihood.test=5"], "likelihood.test: this data set has no test part"),
        (["likelihood.train=0", "likelihood.test=0"], "likelihood.train: no image of either part"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(settings: list[str], field: str) -> None:
    from ddpm.config import Config

    with pytest.raises(ConfigError, match=field):
        override(Config(), settings)
