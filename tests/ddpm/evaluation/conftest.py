"""What several files of tests begin with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ddpm import checkpoint
from ddpm.evaluation import floor, keptsplit, reference, statfile
from ddpm.evaluation.moments import statistics_of
from ddpm.evaluation.pixels import pixel_hash
from ddpm.evaluation.places import Places
from tests.ddpm.evaluation.referring import images
from tests.ddpm.evaluation.standin import StandIn
from tests.ddpm.test_training import run, tiny
from tests.ddpm.writers import write_mnist


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint folder of a tiny training on digits."""
    directory = tmp_path_factory.mktemp("trained")
    run(tiny("training.steps=20", "training.checkpoint_every=100"), directory)
    return checkpoint.folder(directory, 20)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """With a small MNIST: 150 images for training, 50 for testing."""
    write_mnist(tmp_path / "data", train=150, test=50)
    return Places(tmp_path / "data", None, tmp_path / "weights", tmp_path / "references")


@pytest.fixture
def subset(monkeypatch: pytest.MonkeyPatch) -> int:
    """So many features are kept."""
    monkeypatch.setattr(keptsplit, "SUBSET", 64)
    monkeypatch.setattr(reference, "SUBSET", 64)
    monkeypatch.setattr(floor, "SUBSET", 64)
    return 64


@pytest.fixture
def shipped(places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Statistics of MNIST's training images under the stand-in, as if the package had them; and a floor."""
    folder = tmp_path / "shipped"
    monkeypatch.setattr(keptsplit, "SHIPPED", folder)
    pixels = images(places)
    identity = {"dataset": "mnist", "split": "train", "shape": [1, 28, 28], "images": 150}
    other = {**identity, "split": "test", "images": 50, "data": pixel_hash(images(places, "test"))}
    meta = {
        "features": StandIn().identity,
        "reference": {**identity, "data": pixel_hash(pixels)},
        "floor": {"split": "test", "samples": 50, "fid": 1.5, "precision": 0.5, "other": other},
    }
    statfile.save(folder / "mnist.npz", statistics_of(StandIn()(pixels).numpy()), meta)
    return folder


@pytest.fixture
def blocked(places: Places) -> Places:
    """The same, but for a file where the folder of references should be made."""
    (places.references.parent / "file").touch()
    return replace(places, references=places.references.parent / "file" / "references")
