"""Statistics of features in a file: ours (`.npz`, compact, says whose they are), and pytorch-fid's."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ddpm import atomic
from ddpm.datafiles import shown
from ddpm.errors import EngineError
from ddpm.evaluation import arrays, rows
from ddpm.evaluation.moments import LARGEST, Statistics

#: What tells a file of statistics from others: ours (with either form of the covariance), pytorch-fid's.
KEYS = ({"mean", "triangle", "count", "meta"}, {"mean", "factor", "count", "meta"}, {"mu", "sigma"})
#: Entries of a covariance may differ from their mirror image by this, relative to the largest.
_ASYMMETRY = 1e-4
#: What a number in it may be at most: a variance of the largest features.
_LARGEST = 4 * rows.LARGEST**2


def holds_statistics(names: set[str]) -> bool:
    """Whether a file with arrays of these names is one of statistics."""
    return any(keys <= names for keys in KEYS)


def save(path: Path, statistics: Statistics, meta: Mapping[str, Any]) -> None:
    """Write our form, whole or not at all.

    Arrays: `mean` float64 (D,); `triangle` float32, the upper triangle of the covariance (divisor N-1) in
    the order of `np.triu_indices`, 8.4 MB for D = 2048; `count`, 0 where it is not known; `meta`, JSON:
    "features" (the network's identity), "reference" (a protocol's), "floor". With fewer images than features
    `factor` stands in for the triangle, float32 (N,D): rounding a covariance without full rank changes FID
    by some 1e-4 of it, rounding its factor does not. The same statistics give the same bytes.
    """
    parts: dict[str, Any] = {"mean": statistics.mean.numpy(), "count": np.int64(statistics.count)}
    if statistics.factor is not None:
        parts["factor"] = statistics.factor.numpy().astype("<f4")
    else:
        upper = np.triu_indices(len(statistics.mean))
        parts["triangle"] = statistics.covariance.numpy()[upper].astype("<f4")
    parts["meta"] = np.array(json.dumps(meta, sort_keys=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path, synced=True) as aside, aside.open("wb") as file:
        np.savez(file, **parts)


def read_meta(path: Path) -> dict[str, Any]:
    """What a file of ours says of itself, without reading its numbers."""
    return _meta(path) if "meta" in arrays.headers(path) else {}


def load(path: Path) -> tuple[Statistics, dict[str, Any]]:
    """Statistics, and what the file says of them.

    Of pytorch-fid's form (`mu`, `sigma`), which clean-fid, TTUR and EDM write too, `meta` is empty and the
    count 0: unknown. Raises EngineError for anything that cannot be the statistics of at least two images.
    """
    found = arrays.headers(path)
    if not holds_statistics(set(found)):
        names = ", ".join(found) or "nothing"
        raise EngineError(f"{shown(path)} is no file of statistics: it holds {shown(Path(names))}")
    _require_moderate(path, found)
    if {"mu", "sigma"} <= set(found):
        mean, covariance = _numbers(path, "mu"), _numbers(path, "sigma")
        return Statistics(*_checked(path, mean, covariance), count=0, factor=None), {}
    mean, stored = _numbers(path, "mean"), _numbers(path, "count")
    if stored.size != 1 or not stored.item().is_integer():
        raise EngineError(f"{shown(path)}: count is no whole number")
    count = int(stored.item())
    if count < 0 or count == 1:
        raise EngineError(f"{shown(path)}: count is {count}; statistics need at least 2 images")
    factor = None
    if "factor" in found:
        rows = _numbers(path, "factor")
        if rows.shape != (count, mean.size):
            raise EngineError(f"{shown(path)}: factor is {rows.shape}, not {(count, mean.size)}")
        factor = torch.from_numpy(rows)
        covariance = (factor.T @ factor).numpy()
    else:
        covariance = _square(path, _numbers(path, "triangle"), mean.size)
    checked = _checked(path, mean, covariance)
    return Statistics(*checked, count=count, factor=factor), _meta(path)


def _require_moderate(path: Path, found: Mapping[str, arrays.Header]) -> None:
    """EngineError before memory is asked for what a few compressed bytes may promise."""
    for name in sorted(set(found) & set().union(*KEYS)):
        if math.prod(found[name].shape) * found[name].dtype.itemsize > 8 * LARGEST**2:
            raise EngineError(
                f"{shown(path)}: {name} is {found[name]}, more than statistics of {LARGEST:,} features have"
            )


def _numbers(path: Path, name: str) -> np.ndarray:
    """float64, finite."""
    array = arrays.whole(path, name)
    if array.dtype.kind not in "fiu":
        raise EngineError(f"{shown(path)}: {name} holds {array.dtype.name}, not numbers")
    array = np.ascontiguousarray(array, dtype=np.float64)
    if not np.isfinite(array).all():
        raise EngineError(f"{shown(path)}: {name} holds values that are not finite")
    if array.size and float(np.abs(array).max()) > _LARGEST:
        raise EngineError(f"{shown(path)}: {name} holds values that are too large: {_LARGEST:g} is the most")
    return array


def _square(path: Path, triangle: np.ndarray, dimension: int) -> np.ndarray:
    wanted = dimension * (dimension + 1) // 2
    if triangle.shape != (wanted,):
        raise EngineError(
            f"{shown(path)}: triangle is {triangle.shape}, which its mean of {dimension} makes {(wanted,)}"
        )
    square = np.zeros((dimension, dimension))
    upper = np.triu_indices(dimension)
    square[upper] = triangle
    square.T[upper] = triangle
    return square


def _checked(path: Path, mean: np.ndarray, covariance: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """(mean, covariance) if they can be those of anything."""
    if mean.ndim != 1 or mean.size == 0 or covariance.shape != (mean.size, mean.size):
        raise EngineError(
            f"{shown(path)}: a mean {mean.shape} and a covariance {covariance.shape} do not belong together"
        )
    largest = float(np.abs(covariance).max())
    if float(np.abs(covariance - covariance.T).max()) > _ASYMMETRY * largest:
        raise EngineError(f"{shown(path)}: its covariance is not symmetric")
    if float(covariance.diagonal().min()) < -_ASYMMETRY * largest:
        raise EngineError(f"{shown(path)}: its covariance has a negative variance")
    covariance = (covariance + covariance.T) / 2
    return torch.from_numpy(mean), torch.from_numpy(covariance)


def _meta(path: Path) -> dict[str, Any]:
    text = arrays.whole(path, "meta")
    try:
        meta = json.loads(str(text[()])) if text.dtype.kind == "U" else None
    except ValueError:
        meta = None
    if not isinstance(meta, dict):
        raise EngineError(f"{shown(path)}: meta is not a JSON object")
    for part in ("features", "reference", "floor"):
        if not isinstance(meta.get(part), dict | None):
            raise EngineError(f"{shown(path)}: {part} in meta is not a JSON object")
    if not isinstance((meta.get("reference") or {}).get("images"), int | None):
        raise EngineError(f"{shown(path)}: the number of images in meta is not a number")
    return meta
