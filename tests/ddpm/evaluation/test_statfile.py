"""Statistics in files: ours, compact and exact enough; pytorch-fid's; and all that neither is."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from ddpm.errors import EngineError
from ddpm.evaluation import arrays, statfile
from ddpm.evaluation.frechet import frechet_distance
from ddpm.evaluation.moments import Statistics, statistics_of

META = {"features": {"network": "n", "weights": "w"}, "reference": {"dataset": "digits"}, "floor": None}


def features(count: int, dimension: int = 12, seed: int = 0) -> np.ndarray:
    """Rows that lean on each other, all positive as Inception's."""
    random = np.random.default_rng(seed)
    mixed = random.standard_normal((count, dimension)) @ random.standard_normal((dimension, dimension))
    return np.abs(mixed).astype(np.float32)


def test_ours_comes_back(tmp_path: Path) -> None:
    saved = statistics_of(features(100))
    statfile.save(tmp_path / "deep" / "a.npz", saved, META)
    loaded, meta = statfile.load(tmp_path / "deep" / "a.npz")
    assert meta == META == statfile.read_meta(tmp_path / "deep" / "a.npz")
    assert loaded.count == 100
    assert torch.equal(loaded.mean, saved.mean)
    assert torch.equal(loaded.covariance, loaded.covariance.T)
    torch.testing.assert_close(loaded.covariance, saved.covariance, rtol=1e-7, atol=1e-9)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.npz"]


def test_distances_survive_the_rounding(tmp_path: Path) -> None:
    """Also where there are fewer images than features: a rounded covariance would not do there."""
    other = statistics_of(features(500, 64, seed=1))
    for count in (40, 500):
        known = statistics_of(features(count, 64))
        statfile.save(tmp_path / "a.npz", known, META)
        loaded, _ = statfile.load(tmp_path / "a.npz")
        assert (loaded.factor is None) == (count == 500)
        for against in (other, known):
            exact = frechet_distance(known, against)
            assert frechet_distance(loaded, against) == pytest.approx(exact, rel=1e-6, abs=1e-5)


def test_ours_is_small_and_equal_bytes_for_equal_statistics(tmp_path: Path) -> None:
    covariance = torch.eye(2048, dtype=torch.float64)
    statistics = Statistics(torch.zeros(2048, dtype=torch.float64), covariance, 50_000)
    for name in ("a.npz", "b.npz"):
        statfile.save(tmp_path / name, statistics, META)
    assert (tmp_path / "a.npz").stat().st_size < 8.5e6
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_pytorch_fid_s_is_read(tmp_path: Path, save: object, order: str) -> None:
    rows = features(30)
    mu, sigma = rows.mean(0), np.cov(rows, rowvar=False)
    save(tmp_path / "a.npz", mu=mu, sigma=np.asarray(sigma, order=order))  # type: ignore[operator]
    loaded, meta = statfile.load(tmp_path / "a.npz")
    assert meta == {} == statfile.read_meta(tmp_path / "a.npz")
    assert loaded.count == 0
    assert loaded.factor is None
    np.testing.assert_allclose(loaded.mean.numpy(), mu, rtol=1e-6)
    np.testing.assert_allclose(loaded.covariance.numpy(), sigma, rtol=1e-12)


def with_nan(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.flat[3] = np.nan
    return array


MU, SIGMA = np.zeros(4), np.eye(4)
SKEW = SIGMA + np.eye(4, k=1)
OURS = {"mean": MU, "triangle": np.ones(10, np.float32), "count": 9, "meta": "{}"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"mu": MU}, "is no file of statistics: it holds mu"),
        ({}, "is no file of statistics: it holds nothing"),
        ({"m2": MU, "s2": SIGMA}, "it holds m2, s2"),
        ({"mu": with_nan(MU), "sigma": SIGMA}, "mu holds values that are not finite"),
        ({"mu": MU, "sigma": with_nan(SIGMA)}, "sigma holds values that are not finite"),
        ({"mu": MU + 1e200, "sigma": SIGMA}, "mu holds values that are too large"),
        ({"mu": MU, "sigma": SIGMA * 1e200}, "sigma holds values that are too large"),
        ({"mu": MU, "sigma": SKEW}, "its covariance is not symmetric"),
        ({"mu": MU, "sigma": -SIGMA}, "its covariance has a negative variance"),
        ({"mu": MU, "sigma": np.eye(5)}, r"a mean \(4,\) and a covariance \(5, 5\) do not belong together"),
        ({"mu": MU[None], "sigma": SIGMA}, r"a mean \(1, 4\)"),
        ({"mu": np.zeros(0), "sigma": np.zeros((0, 0))}, r"a mean \(0,\)"),
        ({"mu": MU.astype(complex), "sigma": SIGMA}, "mu holds complex128, not numbers"),
        ({"mu": np.array(["a"]), "sigma": SIGMA}, "mu holds str32, not numbers"),
        ({"mu": np.array([None]), "sigma": SIGMA}, "holds pickled objects, which are not opened"),
        (OURS | {"triangle": np.ones(9)}, r"triangle is \(9,\), which its mean of 4 makes \(10,\)"),
        (OURS | {"triangle": np.full(10, np.inf)}, "triangle holds values that are not finite"),
        (OURS | {"count": 1}, "count is 1; statistics need at least 2 images"),
        (OURS | {"count": np.zeros(0)}, "count is no whole number"),
        (OURS | {"meta": "[1]"}, "meta is not a JSON object"),
        (OURS | {"meta": "{"}, "meta is not a JSON object"),
        (OURS | {"meta": 5}, "meta is not a JSON object"),
        (OURS | {"meta": '{"features": "inception"}'}, "features in meta is not a JSON object"),
        (OURS | {"meta": '{"reference": {"images": "9"}}'}, "the number of images in meta is not a number"),
        (
            {"mean": MU, "factor": np.ones((3, 4)), "count": 9, "meta": "{}"},
            r"factor is \(3, 4\), not \(9, 4\)",
        ),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, content: dict[str, np.ndarray], message: str) -> None:
    np.savez(tmp_path / "a.npz", **content)  # type: ignore[arg-type]
    with pytest.raises(EngineError, match=message) as error:
        statfile.load(tmp_path / "a.npz")
    assert str(tmp_path / "a.npz") in str(error.value)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["mean", "factor", "meta"])
def test_a_file_that_unfolds_to_gigabytes_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(statfile, "LARGEST", 16)
    ours = {"mean": MU, "factor": np.ones((3, 4)), "count": np.int64(3), "meta": np.array("{}")}
    huge = np.array("{}" + " " * 600) if name == "meta" else np.zeros(300)
    np.savez_compressed(tmp_path / "a.npz", **(ours | {name: huge}))  # type: ignore[arg-type]
    monkeypatch.setattr(arrays, "whole", lambda *_: pytest.fail("it was read"))
    with pytest.raises(EngineError, match=rf"a\.npz: {name} is .*, more than statistics of 16 features have"):
        statfile.load(tmp_path / "a.npz")


class Bad:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("kind", ["missing", "a folder", "text", "empty", "pickle", "cut short", "damaged"])
def test_what_is_no_whole_file_is_one_line(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.npz"
    statfile.save(path, statistics_of(features(30)), META)
    content = path.read_bytes()
    spoilt = {
        "text": b"FID 3.15\n",
        "empty": b"",
        "pickle": pickle.dumps(Bad(tmp_path / "ran")),
        "cut short": content[: len(content) // 2],
        "damaged": content.replace(statistics_of(features(30)).mean.numpy().tobytes()[:24], bytes(24)),
    }
    path.unlink()
    if kind == "a folder":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes(spoilt[kind])
    with pytest.raises(EngineError, match=r"is not a whole|cannot be read") as error:
        statfile.load(path)
    assert str(path) in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    assert not (tmp_path / "ran").exists()


def test_a_disk_that_is_full_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", fails)
    with pytest.raises(OSError, match="No space left"):
        statfile.save(tmp_path / "a.npz", statistics_of(features(30)), META)
    assert list(tmp_path.iterdir()) == []


def test_meta_is_readable_by_others(tmp_path: Path) -> None:
    statfile.save(tmp_path / "a.npz", statistics_of(features(30)), META)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        assert json.loads(str(file["meta"])) == META
        assert file["triangle"].dtype == np.float32
