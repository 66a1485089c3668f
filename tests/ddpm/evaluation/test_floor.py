"""The floor: of this very pair of splits, kept, and never the end of an evaluation."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ddpm import data
from ddpm.config import DataConfig
from ddpm.evaluation import floor, reference, statfile
from ddpm.evaluation.moments import statistics_of
from ddpm.evaluation.pixels import pixel_hash
from ddpm.evaluation.places import Places
from ddpm.evaluation.scores import score
from ddpm.images import save_png
from tests.ddpm.evaluation.referring import DIGITS, MNIST, images, made, write_test_split
from tests.ddpm.evaluation.standin import StandIn


def test_the_floor_is_the_other_split_s_scores_and_kept(places: Places, subset: int) -> None:
    features = StandIn()
    found = made(places, features, floor=True)
    assert found.features is not None
    rows = StandIn()(images(places, "test")).numpy()
    expected = score(rows, statistics_of(StandIn()(images(places)).numpy()), np.asarray(found.features))
    floor = dict(found.floor or {})
    assert (floor.pop("split"), floor.pop("samples")) == ("test", 50)
    assert floor.pop("other")["data"] == pixel_hash(images(places, "test"))
    told = {name: value for name, value in expected.to_dict().items() if value is not None}
    assert {name: value for name, value in floor.items() if value is not None} == pytest.approx(
        told, rel=1e-5
    )
    seen = features.seen
    assert made(places, features).floor == found.floor  # read where it is known, also unasked
    assert made(places, features, floor=True).floor == found.floor
    assert features.seen == seen


def test_a_floor_without_companions_is_completed(places: Places, subset: int) -> None:
    features = StandIn()
    bare = made(places, features, companions=False, floor=True).floor
    assert bare is not None
    assert bare["precision"] is None
    seen = features.seen
    full = made(places, features, floor=True).floor
    assert full is not None
    assert full["precision"] is not None
    assert full["fid"] == pytest.approx(bare["fid"], rel=1e-6)
    assert features.seen == seen


def test_of_test_against_train(places: Places, subset: int) -> None:
    found = made(places, StandIn(), split="test", floor=True)
    assert found.sampled == 50
    assert found.floor is not None
    assert (found.floor["split"], found.floor["samples"]) == ("train", 64)


def test_no_floor_where_there_is_no_other_split(places: Places) -> None:
    alone = made(places, StandIn(), DIGITS, floor=True)
    assert (alone.floor, alone.notice) == (None, "no floor is told: digits has no other split")
    for path in places.data_root.glob("t10k*"):
        path.unlink()
    missing = made(places, StandIn(), floor=True)  # not downloaded for its sake
    told = "no floor is told: the test split of mnist is not on this machine"
    assert (missing.floor, missing.notice) == (None, told)


def test_a_folder_has_no_floor_and_says_so(places: Places) -> None:
    folder = places.data_root / "own"
    folder.mkdir()
    for index, image in enumerate(images(places)[:4]):
        save_png(folder / f"{index}.png", image[0].numpy())
    config = DataConfig(dataset="folder", image_size=8, root=str(folder))
    found = made(replace(places, data_root=folder), StandIn(), config, floor=True)
    assert (found.floor, found.notice) == (None, "no floor is told: a folder has no other split")


def test_a_floor_of_another_test_split_is_not_taken(places: Places, subset: int) -> None:
    first = made(places, StandIn(), floor=True)
    assert first.notice is None
    write_test_split(places, seed=7)
    bare = made(places, StandIn())
    assert bare.floor is None
    assert bare.notice == "no floor is told: it was not computed yet; the evaluation of a run does it"
    features = StandIn()
    other = made(places, features, floor=True)
    assert features.seen == 50
    assert other.floor is not None
    assert first.floor is not None
    assert other.floor["fid"] != first.floor["fid"]
    for path in places.data_root.glob("t10k*"):
        path.unlink()
    assert made(places, StandIn(), floor=True).floor == other.floor  # nothing speaks against it


@pytest.mark.parametrize("known", [False, True])
def test_a_damaged_test_split_ends_nothing(places: Places, subset: int, known: bool) -> None:
    before = made(places, StandIn(), floor=known).floor
    path = places.data_root / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:1000])
    assert reference.missing(MNIST, "train", StandIn().identity, 6, places, companions=True, floor=True) == 0
    found = made(places, StandIn(), floor=True)
    assert found.floor == before
    if known:
        assert found.notice is None
    else:
        assert found.notice is not None
        assert found.notice.startswith("no floor is told: ")
        assert str(path) in found.notice


@pytest.mark.parametrize("content", ["{", "{}", "[]"])
def test_a_damaged_floor_is_computed_anew(places: Places, subset: int, content: str) -> None:
    found = made(places, StandIn(), companions=False, floor=True)
    (path,) = places.references.glob("*.floor.json")
    path.write_text(content)
    assert made(places, StandIn(), companions=False, floor=True).floor == found.floor
    assert json.loads(path.read_text())["split"] == "test"


def test_a_shipped_floor_is_of_the_pixels_it_names_or_of_the_published(
    places: Places, shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fid() -> float | None:
        return (made(places, StandIn(), companions=False).floor or {}).get("fid")

    assert fid() == 1.5
    path = shipped / "mnist.npz"
    statistics, meta = statfile.load(path)
    del meta["floor"]["other"]
    statfile.save(path, statistics, meta)
    assert fid() is None
    monkeypatch.setattr(floor, "PUBLISHED", (pixel_hash(images(places, "test")),))
    assert fid() == 1.5
    write_test_split(places, seed=7)
    assert fid() is None


@pytest.mark.real_data
def test_the_published_test_splits_are_known(real_data: Path) -> None:
    published = (("mnist", None), ("mnist", 32), ("cifar10", None))
    configs = [DataConfig.model_validate({"dataset": name, "image_size": size}) for name, size in published]
    found = [pixel_hash(data.load(config, real_data, "test").images) for config in configs]
    assert tuple(found) == floor.PUBLISHED


def test_a_floor_that_cannot_be_kept_ends_nothing(blocked: Places, shipped: Path, subset: int) -> None:
    write_test_split(blocked, seed=7)
    found = made(blocked, StandIn(), companions=False, floor=True)
    assert found.floor is None
    assert found.notice is not None
    assert "no floor is told: " in found.notice
    assert "file/references, where references are kept, cannot be written" in found.notice
