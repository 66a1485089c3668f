"""Any two sets against each other: the right numbers and roles, and refusals before any work is done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ddpm import download
from ddpm.datafiles import DataError
from ddpm.errors import EngineError
from ddpm.evaluation import comparison, rulers, scores, statfile
from ddpm.evaluation.comparison import Result, Told, compare
from ddpm.evaluation.features import InceptionFeatures, inception_identity
from ddpm.evaluation.frechet import frechet_distance
from ddpm.evaluation.moments import statistics_of
from ddpm.evaluation.places import Places
from ddpm.evaluation.scores import score
from ddpm.evaluation.sources import open_source
from ddpm.evaluation.trunk import WeightsError
from tests.ddpm.evaluation.standin import StandIn
from tests.ddpm.evaluation.watching import watched
from tests.ddpm.writers import write_mnist

DIMENSION = 64  #: Inception's is 2,048, which takes seconds a score


class Standing(StandIn):
    """In Inception's place: of its size and identity, and made as it is made."""

    made: list[Standing]

    def __init__(self, weights: Path, convention: str, device: torch.device) -> None:
        super().__init__(DIMENSION, convention=convention)
        self.identity = inception_identity(convention)  # type: ignore[arg-type]
        self.made.append(self)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to work in, and the stand-in where Inception would be loaded."""
    monkeypatch.chdir(tmp_path)
    Standing.made = []
    monkeypatch.setattr(comparison, "InceptionFeatures", Standing)
    monkeypatch.setattr(rulers, "DIMENSION", DIMENSION)
    yield tmp_path
    assert len(Standing.made) <= 1


def places() -> Places:
    return Places(Path("data"), Path("weights.pth"), Path("weights"), Path("references"))


def compared(a: str, b: str, **options: Any) -> Result:
    return watched(compare(open_source(a), open_source(b), places(), **options))[1]


def noise(count: int, seed: int = 0, size: int = 4, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, channels), np.uint8)


def features(images: np.ndarray) -> np.ndarray:
    return StandIn(DIMENSION)(torch.from_numpy(images.transpose(0, 3, 1, 2).copy())).numpy()


def folder(name: str, images: np.ndarray) -> str:
    Path(name).mkdir()
    for index, image in enumerate(images):
        Image.fromarray(image).save(f"{name}/{index:04}.png")
    return name


def file(name: str, images: np.ndarray) -> str:
    np.savez(name, images)
    return name


def statistics(name: str, images: np.ndarray, meta: dict[str, Any]) -> str:
    statfile.save(Path(name), statistics_of(features(images)), meta)
    return name


def pytorch_fid(name: str, images: np.ndarray) -> str:
    rows = features(images)
    np.savez(name, mu=rows.mean(0), sigma=np.cov(rows, rowvar=False))
    return name


A, B = noise(40), noise(30, seed=1)


def test_a_folder_against_an_array() -> None:
    result = compared(folder("samples", A), file("b.npz", B))
    expected = score(features(A), statistics_of(features(B)), features(B))
    assert result.scores == expected
    assert (result.subject.name, result.subject.kind, result.subject.images) == ("samples", "images", 40)
    assert (result.reference.name, result.reference.images, result.reference.size) == ("b.npz", 30, (4, 4))
    plain = result.to_dict()
    assert plain["fid"] == result.scores.fid
    assert plain["convention"] == "tensorflow"
    assert plain["protocol"]["features"] == inception_identity("tensorflow")
    assert plain["protocol"]["samples"] == 40
    assert plain["protocol"]["sampling"] is None
    assert plain["protocol"]["companions"]["reference_features"] == 30
    assert plain["protocol_id"] == result.protocol.id


def test_the_kind_of_file_does_not_matter() -> None:
    one = compared(folder("samples", A), file("b.npz", B))
    other = compared_anew(file("a.npz", A), folder("real", B))
    assert other.scores == one.scores
    assert other.protocol == one.protocol  # its reference is told by the pixels


def compared_anew(a: str, b: str, **options: Any) -> Result:
    Standing.made.clear()
    return compared(a, b, **options)


def test_of_itself_the_distance_is_nothing() -> None:
    assert compared(file("a.npz", A), folder("same", A)).scores.fid == pytest.approx(0, abs=1e-6)


def test_without_companions() -> None:
    result = compared(file("a.npz", A), file("b.npz", B), companions=False)
    full = compared_anew("a.npz", "b.npz")
    assert result.scores.fid == full.scores.fid
    assert full.scores.precision is not None
    assert result.scores.precision is None
    assert result.protocol.companions is None


def test_more_images_than_are_kept_change_no_fid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "SUBSET", 16)
    result = compared(file("a.npz", A), file("b.npz", B))
    expected = score(features(A), statistics_of(features(B)), features(B))
    assert result.scores.fid == pytest.approx(expected.fid, rel=1e-5)
    assert result.scores.precision == expected.precision
    assert result.scores.coverage == expected.coverage
    assert result.protocol.companions is not None
    assert result.protocol.companions["reference_features"] == 16


# -- statistics and features ------------------------------------------------------------------------


@pytest.mark.parametrize("swapped", [False, True])
def test_statistics_are_the_reference_whichever_way_round(swapped: bool) -> None:
    statistics("b.npz", B, {"features": inception_identity("tensorflow"), "reference": {"images": 30}})
    names = ("b.npz", folder("samples", A)) if swapped else (folder("samples", A), "b.npz")
    result = compared(*names)
    assert (result.subject.name, result.reference.name, result.reference.kind) == (
        "samples",
        "b.npz",
        "statistics",
    )
    exact = frechet_distance(statistics_of(features(A)), statistics_of(features(B)))
    assert result.scores.fid == pytest.approx(exact, rel=1e-5)
    assert result.scores.kid is None
    assert result.reference.images == 30


def test_pytorch_fid_s_statistics_and_what_they_do_not_say() -> None:
    exact = frechet_distance(statistics_of(features(A)), statistics_of(features(B)))
    result = compared(file("a.npz", A), pytorch_fid("b.npz", B))
    assert result.scores.fid == pytest.approx(exact, rel=1e-4)
    assert result.reference.images is None
    assert result.notes[0] == (
        "b.npz does not say of which network and convention: taken for the Inception network's in the "
        "convention tensorflow; if pytorch-fid made it, add --convention pytorch-fid"
    )
    named = compared_anew("a.npz", "b.npz", convention="pytorch-fid")
    assert named.protocol.features["convention"] == "pytorch-fid"
    assert named.notes[0].endswith("in the convention pytorch-fid")


def test_two_files_need_no_network() -> None:
    np.save("rows.npy", features(A))
    result = compared("rows.npy", pytorch_fid("b.npz", B))
    assert Standing.made == []
    exact = frechet_distance(statistics_of(features(A)), statistics_of(features(B)))
    assert result.scores.fid == pytest.approx(exact, rel=1e-4)
    assert result.to_dict()["convention"] is None
    assert "whether they can be compared is for you to know" in result.notes[0]
    both = compared("b.npz", "b.npz")
    assert both.scores.fid == pytest.approx(0, abs=1e-4)
    assert both.subject.images is None
    assert both.protocol.samples is None


def test_two_files_of_features_have_companions() -> None:
    np.save("a.npy", features(noise(120))[:, :8])
    np.save("b.npy", features(noise(110, seed=1))[:, :8])
    result = compared("a.npy", "b.npy")
    expected = score(np.load("a.npy"), statistics_of(np.load("b.npy")), np.load("b.npy"))
    assert result.scores == expected
    assert result.scores.kid is not None


def test_statistics_that_say_their_convention_are_met_in_it() -> None:
    statistics("b.npz", B, {"features": inception_identity("pytorch-fid")})
    result = compared(file("a.npz", A), "b.npz")
    assert result.protocol.features["convention"] == "pytorch-fid"
    assert Standing.made[0].identity["convention"] == "pytorch-fid"
    with pytest.raises(
        EngineError, match=r"b\.npz is of inception.* it cannot be had in the convention tensorflow"
    ):
        compared("a.npz", "b.npz", convention="tensorflow")


OTHER_WEIGHTS = {**inception_identity("tensorflow"), "weights": "1" * 64}
CLASSIFIER = {"network": "mnist-classifier", "weights": "2" * 64}


@pytest.mark.parametrize("identity", [OTHER_WEIGHTS, CLASSIFIER])
def test_statistics_of_other_weights_are_refused(identity: dict[str, Any]) -> None:
    statistics("b.npz", B, {"features": identity})
    message = rf"b\.npz is of {identity['network']} \(weights {identity['weights'][:12]}.*images are seen by"
    with pytest.raises(EngineError, match=message) as error:
        compared(file("a.npz", A), "b.npz")
    assert str(error.value).isprintable()
    assert Standing.made == []


def test_statistics_of_two_kinds_are_refused() -> None:
    statistics("a.npz", A, {"features": inception_identity("tensorflow")})
    statistics("b.npz", B, {"features": inception_identity("pytorch-fid")})
    with pytest.raises(EngineError, match="their distance says nothing"):
        compared("a.npz", "b.npz")


def test_other_dimensions_are_refused() -> None:
    np.save("four.npy", features(A)[:, :4])
    np.save("five.npy", features(A)[:, :5])
    with pytest.raises(
        EngineError, match=r"four\.npy has 4 features and five\.npy 5: they cannot be compared"
    ):
        compared("four.npy", "five.npy")
    with pytest.raises(EngineError, match=r"four\.npy has 4 features and the Inception network 64"):
        compared("four.npy", file("a.npz", A))
    assert Standing.made == []


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_features_that_are_not_finite_are_named(bad: float) -> None:
    rows = features(A)
    rows[17, 3] = bad
    np.save("a.npy", rows)
    with pytest.raises(EngineError, match=r"a\.npy: the features of image 17 are not finite"):
        compared("a.npy", file("b.npz", B))


def test_features_that_are_too_large_are_called_so() -> None:
    """Their squares have no place in float64, and they themselves none in float32."""
    rows = features(A).astype(np.float64)
    rows[17, 3] = -1e200
    np.save("a.npy", rows)
    with pytest.raises(EngineError, match=r"a\.npy: the features of image 17 are too large: 1e\+200, and 1e"):
        compared("a.npy", file("b.npz", B))


# -- statistics that are kept -----------------------------------------------------------------------


def test_the_reference_is_kept_and_says_what_it_is() -> None:
    kept = Path("kept.npz")
    first = compared(file("a.npz", A), folder("real", B), keep=kept, convention="pytorch-fid")
    again = compared_anew("a.npz", "kept.npz")
    assert Standing.made[0].seen == 40
    assert again.scores.fid == pytest.approx(first.scores.fid, rel=1e-6)
    assert again.protocol.features == first.protocol.features
    assert again.protocol.reference == first.protocol.reference
    assert again.protocol.id == first.protocol.id  # they may be ranked together
    with pytest.raises(EngineError, match=r"kept\.npz exists already"):
        compared("a.npz", "real", keep=kept)
    with pytest.raises(
        EngineError, match=r"kept\.pkl: statistics are kept in a file whose name ends in \.npz"
    ):
        compared("a.npz", "real", keep=Path("kept.pkl"))


def test_a_place_that_cannot_be_written_is_told_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    file("a.npz", A), file("b.npz", B)
    with pytest.raises(EngineError, match=r"a\.npz/kept\.npz: nothing can be written into .*a\.npz"):
        compared("a.npz", "b.npz", keep=Path("a.npz/kept.npz"))
    monkeypatch.setattr(comparison.os, "access", lambda *_: False)  # as root everything is allowed
    with pytest.raises(EngineError, match=r"new/kept\.npz: nothing can be written into "):
        compared("a.npz", "b.npz", keep=Path("new/kept.npz"))
    assert Standing.made == []
    assert not Path("new").exists()


def test_what_is_kept_claims_no_more_than_is_known() -> None:
    np.save("rows.npy", features(A))
    first = compared("rows.npy", pytorch_fid("b.npz", B), keep=Path("kept.npz"))
    assert "features" not in statfile.read_meta(Path("kept.npz"))
    again = compared("rows.npy", "kept.npz")
    assert again.scores.fid == pytest.approx(
        first.scores.fid, rel=1e-3
    )  # rounded, of a covariance of low rank
    assert again.reference.images is None
    assert "kept.npz do not say" in again.notes[0]


def test_what_was_taken_for_granted_is_not_kept_as_known() -> None:
    """Images make pytorch-fid's statistics pass for those of a convention, which their file does not say."""
    silent, kept = pytorch_fid("b.npz", B), Path("kept.npz")
    compared(file("a.npz", A), silent, keep=kept)
    assert "features" not in statfile.read_meta(kept)
    named = compared_anew("a.npz", "kept.npz", convention="pytorch-fid")
    assert "kept.npz does not say of which network" in named.notes[0]


# -- data sets --------------------------------------------------------------------------------------


def test_a_data_set_is_the_reference_and_its_floor_is_told() -> None:
    write_mnist(Path("data"), train=60, test=50)
    result = compared("mnist:test", folder("samples", A))
    assert (result.subject.name, result.reference.name) == ("samples", "mnist:test")
    assert (result.reference.kind, result.reference.images, result.reference.size) == (
        "data set",
        50,
        (28, 28),
    )
    assert result.scores.precision is not None
    assert result.floor is None
    assert result.notes[-1].startswith("no floor is told: it was not computed yet; the evaluation of a run")
    assert any(
        "the images differ in size (samples 4×4 and mnist:test 28×28)" in note for note in result.notes
    )


def test_two_data_sets() -> None:
    write_mnist(Path("data"), train=60, test=50)
    told, result = watched(compare(open_source("mnist:test"), open_source("mnist:train"), places()))
    assert (result.subject.name, result.reference.name) == ("mnist:test", "mnist:train")
    assert (result.subject.images, result.protocol.samples) == (50, 50)
    assert {t.stage for t in told} >= {"features of mnist:test, computed once"}
    seen = Standing.made[0].seen
    assert seen == 110
    again = compared_anew("mnist:test", "mnist:train")
    assert Standing.made[0].seen == 0
    assert again.scores.fid == pytest.approx(result.scores.fid, rel=1e-5)


def test_against_statistics_no_features_of_the_data_set_are_wanted() -> None:
    write_mnist(Path("data"), train=60, test=50)
    compared("mnist:train", statistics("b.npz", B, {"features": inception_identity("tensorflow")}))
    Standing.made.clear()
    result = compared("b.npz", "mnist:train")
    assert Standing.made[0].seen == 0
    assert result.scores.precision is None


def test_why_there_is_no_floor_is_told() -> None:
    notes = compared("digits", folder("samples", A)).notes
    assert notes[-1] == "no floor is told: digits has no other split"


def test_missing_data_are_said_before_anything_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object) -> None:
        raise DataError("data set mnist is not in data and cannot be downloaded")

    monkeypatch.setattr(download, "fetch", unreachable)
    with pytest.raises(DataError, match="cannot be downloaded"):
        compared(file("a.npz", A), "mnist:train")
    assert Standing.made == []


# -- what is told, and what goes wrong --------------------------------------------------------------


def test_progress_counts_the_images_and_a_person_s_own_come_first() -> None:
    write_mnist(Path("data"), train=60, test=50)
    told, _ = watched(compare(open_source("mnist:train"), open_source(folder("samples", A)), places()))
    stages = list(dict.fromkeys(t.stage for t in told))
    assert stages == [
        "reading mnist:train",
        "loading the Inception network",
        "features of samples",
        "features of mnist:train, computed once",
        "scores",
    ]
    own = [t for t in told if t.stage == "features of samples"]
    assert own[0] == Told("features of samples", 0, 40, "images")
    assert own[-1] == Told("features of samples", 40, 40, "images")
    assert len(own) == 6


def test_few_images_are_told_of() -> None:
    notes = compared(file("a.npz", A), file("b.npz", B)).notes
    assert any("a.npz has 40 images and b.npz has 30 images, fewer than the 64 features" in n for n in notes)
    assert "KID needs 100 images on each side" in notes


def test_a_data_set_may_have_few_images_too() -> None:
    write_mnist(Path("data"), train=60, test=50)
    notes = compared(file("a.npz", noise(70)), "mnist:test").notes
    assert any(note.startswith("mnist:test has 50 images, fewer than the 64 features") for note in notes)


def test_jpeg_is_told_of() -> None:
    Path("samples").mkdir()
    for index in range(3):
        Image.fromarray(A[index]).save(f"samples/{index}.jpg")
    notes = compared("samples", file("b.npz", B)).notes
    assert notes[0].startswith("samples: 3 of 3 images are JPEG")


def test_a_corrupt_image_ends_it_in_one_line() -> None:
    folder("samples", noise(20, size=32))
    content = Path("samples/0013.png").read_bytes()
    Path("samples/0013.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(EngineError, match=r"samples/0013\.png cannot be read") as error:
        compared("samples", file("b.npz", B))
    assert str(error.value).isprintable()


def test_features_that_the_network_makes_of_images_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Standing):
        def __call__(self, images: Tensor) -> Tensor:
            found = super().__call__(images)
            return found / 0 if self.seen > 16 else found

    monkeypatch.setattr(comparison, "InceptionFeatures", Broken)
    with pytest.raises(EngineError, match=r"a\.npz: the features of image 16 are not finite"):
        compared(file("a.npz", A), file("b.npz", B))


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "weights.pth does not exist"), (b"x", "weights.pth is not a file of weights")],
)
def test_wrong_weights_are_said(content: bytes | None, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "InceptionFeatures", InceptionFeatures)
    if content is not None:
        Path("weights.pth").write_bytes(content)
    with pytest.raises(WeightsError, match=message):
        compared(file("a.npz", A), file("b.npz", B))
