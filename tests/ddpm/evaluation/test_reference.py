"""References: computed once, kept under a key that nothing else has, gone on with after a kill."""

from __future__ import annotations

import dataclasses
import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ddpm.config import DataConfig
from ddpm.errors import EngineError
from ddpm.evaluation import keptsplit, reference, statfile
from ddpm.evaluation.classifier import ClassifierFeatures
from ddpm.evaluation.featurefile import FeatureFile
from ddpm.evaluation.moments import statistics_of
from ddpm.evaluation.pixels import pixel_hash
from ddpm.evaluation.places import Places
from ddpm.evaluation.progress import finish
from ddpm.evaluation.reference import build
from tests.ddpm.evaluation.referring import DIGITS, MNIST, files, images, made
from tests.ddpm.evaluation.standin import StandIn
from tests.ddpm.evaluation.watching import watched
from tests.ddpm.writers import write_mnist


def test_statistics_are_of_all_images_and_features_of_some(places: Places, subset: int) -> None:
    found = made(places, StandIn())
    pixels = images(places)
    expected = statistics_of(StandIn()(pixels).numpy())
    assert found.statistics.count == 150
    torch.testing.assert_close(found.statistics.mean, expected.mean)
    torch.testing.assert_close(found.statistics.covariance, expected.covariance, rtol=1e-5, atol=1e-6)
    assert found.identity == {
        "dataset": "mnist",
        "split": "train",
        "shape": [1, 28, 28],
        "images": 150,
        "data": pixel_hash(pixels),
    }
    assert found.floor is None
    assert found.features is not None
    assert found.features.shape == (64, 6)
    assert found.sampled == 64
    everything = {row.tobytes() for row in StandIn()(pixels).numpy()}
    assert len({row.tobytes() for row in found.features} & everything) == 64


def test_the_features_kept_are_drawn_from_everywhere(places: Places, subset: int) -> None:
    """Data sets may be sorted by class: the first ones would be of one class only."""
    found = made(places, StandIn())
    place = {row.tobytes(): index for index, row in enumerate(StandIn()(images(places)).numpy())}
    taken = [place[row.tobytes()] for row in np.asarray(found.features)]
    assert taken != sorted(taken)
    assert max(taken) > 120
    assert min(taken) < 30


def test_it_is_computed_once(places: Places, subset: int) -> None:
    features = StandIn()
    first = made(places, features)
    assert features.seen == 150
    size = places.references / next(name for name in files(places) if name.endswith(".f32"))
    assert size.stat().st_size == 64 * 6 * 4  # cut when the statistics were complete
    told, again = watched(build(MNIST, "train", features, places, companions=True))
    assert features.seen == 150
    assert told == []
    assert again.identity == first.identity
    assert np.array_equal(np.asarray(again.features), np.asarray(first.features))
    torch.testing.assert_close(again.statistics.covariance, first.statistics.covariance, rtol=1e-6, atol=1e-7)


def test_progress_is_told_of_all_the_work(places: Places, subset: int) -> None:
    told, _ = watched(build(MNIST, "train", StandIn(), places, companions=True, floor=True, batch=25))
    assert {progress.total for progress in told} == {150 + 50}
    done = [progress.done for progress in told]
    assert done == sorted(done)
    assert done[-1] == 200
    assert len(set(done)) > 7


def test_work_cut_short_is_gone_on_with_to_the_byte(places: Places, subset: int) -> None:
    whole = made(places, StandIn())
    kept = {name: (places.references / name).read_bytes() for name in files(places)}
    for name in kept:
        (places.references / name).unlink()
    first = StandIn()
    work = build(MNIST, "train", first, places, companions=True, batch=20)
    while next(work).done < 80:
        continue
    work.close()
    (file,) = places.references.glob("*.f32")
    with file.open("ab") as torn:
        torn.write(bytes(24 * 3 + 7))  # some rows of a batch, and a part of one
    second = StandIn()
    again = made(places, second, batch=20)
    assert first.seen + second.seen == 150
    assert {name: (places.references / name).read_bytes() for name in files(places)} == kept
    assert np.array_equal(np.asarray(again.features), np.asarray(whole.features))


def test_without_companions_only_statistics_are_needed(places: Places, subset: int) -> None:
    found = made(places, StandIn(), companions=False)
    assert (found.features, found.sampled) == (None, 0)
    features = StandIn()
    assert made(places, features).sampled == 64
    assert features.seen == 0  # those of the statistics stayed


def test_other_networks_conventions_and_pixels_share_nothing(places: Places, subset: int) -> None:
    made(places, StandIn())
    for features in (StandIn(name="other"), StandIn(convention="pytorch-fid")):
        made(places, features)
        assert features.seen == 150
    wide = StandIn()
    made(places, wide, DataConfig(dataset="mnist", image_size=32))
    assert wide.seen == 150
    write_mnist(places.data_root, train=151, test=50)
    changed = StandIn()
    assert made(places, changed).identity["images"] == 151
    assert changed.seen == 151


# -- statistics that come along ---------------------------------------------------------------------


def test_shipped_statistics_need_no_data(places: Places, shipped: Path) -> None:
    for path in places.data_root.iterdir():
        path.unlink()
    features = StandIn()
    found = made(places, features, companions=False, floor=True)
    assert features.seen == 0
    assert found.statistics.count == 150
    assert found.identity["data"] == statfile.read_meta(shipped / "mnist.npz")["reference"]["data"]
    assert found.floor is not None
    assert (found.floor["split"], found.floor["fid"]) == ("test", 1.5)
    assert not places.references.exists()


@pytest.mark.real_data
def test_what_is_shipped_for_the_classifier_needs_no_folder(real_data: Path, tmp_path: Path) -> None:
    places = Places(real_data, None, tmp_path, tmp_path / "references")
    for config in (MNIST, DataConfig(dataset="mnist", image_size=32)):
        found = finish(build(config, "train", ClassifierFeatures(), places, companions=False, floor=True))
        assert found.floor is not None
        assert 0 < found.floor["fid"] < 1
    assert not places.references.exists()


def test_only_the_features_kept_are_computed_beside_them(places: Places, shipped: Path, subset: int) -> None:
    features = StandIn()
    found = made(places, features, batch=32)
    assert features.seen == found.sampled == 64
    assert found.floor is not None


def test_shipped_statistics_of_other_pixels_are_not_taken(places: Places, shipped: Path, subset: int) -> None:
    write_mnist(places.data_root, train=140, test=50)
    features = StandIn()
    found = made(places, features)
    assert features.seen == 140
    assert found.statistics.count == 140
    assert found.floor is None


@pytest.mark.parametrize("other", [StandIn(name="x"), StandIn(convention="pytorch-fid")])
def test_shipped_statistics_of_other_features_are_not_taken(
    places: Places, shipped: Path, other: StandIn
) -> None:
    other.seen = 0
    made(places, other, companions=False)
    assert other.seen == 150


# -- a folder that cannot be written ----------------------------------------------------------------


def test_a_folder_that_cannot_be_written_is_named(blocked: Places) -> None:
    message = r"file/references, where references are kept, cannot be written: Not a directory"
    with pytest.raises(EngineError, match=message):
        made(blocked, StandIn())


def test_a_folder_that_cannot_be_looked_into_is_named(places: Places) -> None:
    unreadable = dataclasses.replace(places, references=places.data_root / ("long" * 100))
    with pytest.raises(EngineError, match="where references are kept, cannot be read: File name too long"):
        made(unreadable, StandIn())


def test_features_that_may_be_mapped_elsewhere_stay(
    places: Places, subset: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 are kept for companions: work in another batch size must not shorten the file, ever so briefly."""
    made(places, StandIn())
    lengths: list[int] = []

    def append(self: FeatureFile, features: Tensor) -> None:
        lengths.append(len(self))
        original(self, features)

    original = FeatureFile.append
    monkeypatch.setattr(FeatureFile, "append", append)
    kept = keptsplit.KeptSplit(MNIST, "train", dict(StandIn().identity), places.references, places.data_root)
    finish(kept.compute(100, StandIn(), 60))
    assert lengths == [64]


def test_a_full_disk_is_said_and_gone_on_from(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: FeatureFile, features: Tensor) -> None:
        if len(self) >= 64:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        append(self, features)

    append = FeatureFile.append
    monkeypatch.setattr(FeatureFile, "append", full)
    with pytest.raises(EngineError, match="cannot be written: No space left on device"):
        made(places, StandIn())
    monkeypatch.undo()
    features = StandIn()
    made(places, features)
    assert features.seen == 150 - 64


def test_what_is_shipped_needs_no_folder(blocked: Places, shipped: Path) -> None:
    found = made(blocked, StandIn(), companions=False, floor=True)
    assert (found.statistics.count, found.notice) == (150, None)
    assert found.floor is not None


def test_what_killed_processes_left_aside_is_removed(places: Places, subset: int) -> None:
    made(places, StandIn(), floor=True)
    names = set(files(places))
    (statistics,) = places.references.glob("*train*.npz")
    (kept,) = places.references.glob("*.floor.json")
    for path in (statistics, kept):
        path.unlink()
        path.with_name(f".{path.name}.123456.tmp").touch()
    other = places.references / ".another.npz.123456.tmp"
    other.touch()
    made(places, StandIn(), floor=True)
    assert set(files(places)) == names | {other.name}


# -- what is told beforehand, and what goes wrong ---------------------------------------------------


def test_what_is_missing_is_told_beforehand(places: Places, subset: int) -> None:
    def lacking(**more: bool) -> int:
        options = {"companions": True} | more
        return reference.missing(MNIST, "train", StandIn().identity, 6, places, **options)

    assert lacking() == 150
    assert lacking(floor=True) == 200
    work = build(MNIST, "train", StandIn(), places, companions=True, floor=True, batch=20)
    while next(work).done < 80:
        continue
    work.close()
    assert lacking(floor=True) == 120
    made(places, StandIn())
    assert (lacking(), lacking(companions=False), lacking(floor=True)) == (0, 0, 50)
    made(places, StandIn(), floor=True)
    assert lacking(floor=True) == 0


def test_what_must_be_downloaded_is_told_beforehand(places: Places, shipped: Path, subset: int) -> None:
    def downloads(split: str = "train", companions: bool = True, config: DataConfig = MNIST) -> bool:
        asked = (config, split, StandIn().identity, 6, places)
        return reference.downloads(*asked, companions=companions)

    assert not downloads()
    for path in places.data_root.iterdir():
        path.rename(path.with_suffix(".aside"))
    assert not downloads(companions=False)  # shipped
    assert downloads()
    assert downloads("test", companions=False)
    assert not downloads(config=DIGITS)
    for path in places.data_root.iterdir():
        path.rename(path.with_suffix(""))
    made(places, StandIn())
    for path in places.data_root.iterdir():
        path.unlink()
    assert not downloads()  # kept
    assert made(places, StandIn(), floor=True).sampled == 64


def test_features_that_are_not_finite_are_refused_and_not_kept(places: Places) -> None:
    class Broken(StandIn):
        def __call__(self, images: Tensor) -> Tensor:
            found = super().__call__(images)
            return found / 0 if self.seen > 64 else found

    with pytest.raises(
        EngineError, match=r"features of image \d+ of mnist:train are not finite: .* stand-in"
    ):
        made(places, Broken())
    (file,) = places.references.glob("*.f32")
    assert np.isfinite(np.fromfile(file, "<f4")).all()


def test_a_kept_file_of_something_else_is_refused(places: Places) -> None:
    made(places, StandIn(), companions=False)
    (path,) = places.references.glob("*.npz")
    statistics, meta = statfile.load(path)
    statfile.save(path, statistics, {**meta, "features": {"network": "other"}})
    with pytest.raises(EngineError, match="holds statistics of something else; remove it") as error:
        made(places, StandIn())
    assert str(path) in str(error.value)


def test_one_computes_and_the_other_waits(
    places: Places, subset: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another process holds the lock its progress is told; then its work is taken."""
    monkeypatch.setattr(keptsplit, "_LOOK_AGAIN", 0.01)
    whole = made(places, StandIn())
    (statistics,) = places.references.glob("*.npz")
    content = statistics.read_bytes()
    statistics.unlink()
    features = StandIn()
    with statistics.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        work = build(MNIST, "train", features, places, companions=True)
        assert [next(work).done for _ in range(3)] == [64, 64, 64]
        statistics.write_bytes(content)
    _, found = watched(work)
    assert features.seen == 0
    assert np.array_equal(np.asarray(found.features), np.asarray(whole.features))


KILLED = """
import sys, time
from pathlib import Path
from ddpm.config import DataConfig
from ddpm.evaluation.places import Places
from ddpm.evaluation.reference import build
from tests.ddpm.evaluation.standin import StandIn
folder = Path(sys.argv[1])
for progress in build(DataConfig(dataset="mnist"), "train", StandIn(), Places(folder / "data", None, folder, folder / "references"), companions=True, batch=8):
    print(progress.done, flush=True)
    time.sleep(0.05)
"""  # noqa: E501


def test_a_killed_process_leaves_what_it_did(places: Places) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(places.references.parent)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= 40:
            process.send_signal(signal.SIGKILL)
            break
    process.wait(30)
    process.stdout.close()
    time.sleep(0.01)
    features = StandIn()
    made(places, features, batch=8)
    assert features.seen <= 110
