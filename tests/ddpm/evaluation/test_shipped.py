"""The statistics that come along are of the real images, the known weights and the default convention."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddpm import data
from ddpm.config import DataConfig
from ddpm.evaluation import statfile
from ddpm.evaluation.features import InceptionFeatures
from ddpm.evaluation.frechet import frechet_distance
from ddpm.evaluation.keptsplit import SHIPPED
from ddpm.evaluation.mahalanobis import mahalanobis
from ddpm.evaluation.pixels import pixel_hash

INCEPTION = sorted(SHIPPED.glob("*-tensorflow.npz"))


def test_those_of_both_data_sets_come_along() -> None:
    assert [path.stem for path in INCEPTION] == ["cifar10-train-tensorflow", "mnist-train-tensorflow"]


@pytest.mark.parametrize("path", INCEPTION, ids=lambda path: path.stem)
def test_they_are_small_and_say_whose_they_are(path: Path) -> None:
    assert path.stat().st_size < 9e6
    statistics, meta = statfile.load(path)
    reference, floor = meta["reference"], meta["floor"]
    assert reference["images"] == statistics.count
    assert path.stem.startswith(f"{reference['dataset']}-{reference['split']}-")
    assert meta["features"]["convention"] == "tensorflow"
    assert floor["split"] == "test"
    assert floor["samples"] == 10_000
    assert 0 < floor["fid"] < 10
    assert 0 < floor["precision"] <= 1
    assert frechet_distance(statistics, statistics) == pytest.approx(0, abs=1e-6)


@pytest.mark.real_data
@pytest.mark.parametrize("path", INCEPTION, ids=lambda path: path.stem)
def test_a_part_computed_again_fits_them(path: Path, real_data: Path) -> None:
    statistics, meta = statfile.load(path)
    reference, part = meta["reference"], meta["part"]
    images = data.load(DataConfig(dataset=reference["dataset"]), real_data, reference["split"]).images
    assert pixel_hash(images) == reference["data"]
    features = InceptionFeatures(real_data / "inception" / "pt-inception-trunk.pth", "tensorflow")
    assert features.identity == meta["features"]
    first = images[: part["images"]]
    found = mahalanobis(features(first), statistics)
    assert float(found.mean()) == pytest.approx(part["mahalanobis"], rel=1e-4)
    assert float(mahalanobis(features(255 - first), statistics).mean()) > 1.2 * part["mahalanobis"]
