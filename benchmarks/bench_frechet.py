"""How long the Fréchet distance takes, as a ratio to pytorch-fid's own (a matrix square root by scipy).

    python -m benchmarks.bench_frechet [--peer PYTHON] [--rounds 5]

PYTHON is one that can import pytorch-fid: this one unless it is named. Both get the same statistics, of
10,000 features each like those of a ReLU layer (2048 dimensions), and are timed in turns, each in a process
of its own, from the statistics in memory to the number. The last line is the result as JSON. It fails where
ours is the slower one, or where the numbers differ by more than 1e-4 of themselves.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np


def features(seed: int, count: int, dimension: int) -> np.ndarray:
    """float32 (count,dimension), ≥ 0 and correlated: kinds of images, common factors and noise, a ReLU."""
    world, draw = np.random.default_rng(0), np.random.default_rng(seed)
    kinds = world.normal(size=(10, dimension)).astype(np.float32)
    factors = world.normal(size=(64, dimension)).astype(np.float32) * np.exp(-np.arange(64) / 20)[:, None]
    rows = kinds[draw.integers(10, size=count)] * 0.5 + draw.normal(size=(count, 64)) @ factors * 0.3
    return np.maximum(rows + draw.normal(size=(count, dimension)) * (0.2 + 0.02 * seed), 0).astype(np.float32)


def write_statistics(file: Path, count: int, dimension: int) -> None:
    from ddpm.evaluation.moments import statistics_of

    found = [statistics_of(features(seed, count, dimension)) for seed in (1, 2)]
    np.savez(file, *(part.numpy() for s in found for part in (s.mean, s.covariance)))


def measure_ours(parts: list[np.ndarray]) -> tuple[float, float]:
    """The distance, and the seconds it took."""
    import torch

    from ddpm.evaluation.frechet import frechet_distance
    from ddpm.evaluation.moments import Statistics

    mean_a, cov_a, mean_b, cov_b = (torch.from_numpy(part) for part in parts)
    a, b = Statistics(mean_a, cov_a, 0), Statistics(mean_b, cov_b, 0)
    begin = time.perf_counter()
    return frechet_distance(a, b), time.perf_counter() - begin


def measure_peer(parts: list[np.ndarray]) -> tuple[float, float]:
    from pytorch_fid.fid_score import calculate_frechet_distance

    begin = time.perf_counter()
    return float(calculate_frechet_distance(*parts)), time.perf_counter() - begin


def in_fresh_process(interpreter: str, who: str, file: Path) -> dict[str, float]:
    command = [interpreter, __file__, "--measure", who, "--statistics", str(file)]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def compare(peer: str, rounds: int, count: int, dimension: int) -> dict[str, Any]:
    found: dict[str, list[dict[str, float]]] = {"ours": [], "pytorch-fid": []}
    with tempfile.TemporaryDirectory(prefix="ddpm-bench-") as folder:
        file = Path(folder) / "statistics.npz"
        write_statistics(file, count, dimension)
        for _ in range(rounds):
            found["ours"].append(in_fresh_process(sys.executable, "ours", file))
            found["pytorch-fid"].append(in_fresh_process(peer, "pytorch-fid", file))
    seconds = {who: [result["seconds"] for result in results] for who, results in found.items()}
    ours, theirs = (results[0]["distance"] for results in found.values())
    pairs = zip(seconds["pytorch-fid"], seconds["ours"], strict=True)
    return {
        "features": count,
        "dimension": dimension,
        "rounds": rounds,
        "seconds": {who: statistics.median(values) for who, values in seconds.items()},
        "times_faster": statistics.median(theirs / ours for theirs, ours in pairs),
        "distance": {"ours": ours, "pytorch-fid": theirs},
        "relative_difference": abs(ours - theirs) / abs(theirs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--peer", default=sys.executable, help="a python with pytorch-fid")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--features", type=int, default=10_000)
    parser.add_argument("--dimension", type=int, default=2048)
    parser.add_argument("--measure", choices=["ours", "pytorch-fid"], help=argparse.SUPPRESS)
    parser.add_argument("--statistics", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure:
        with np.load(chosen.statistics) as file:
            parts = [file[name] for name in file.files]
        distance, seconds = (measure_ours if chosen.measure == "ours" else measure_peer)(parts)
        print(json.dumps({"distance": distance, "seconds": seconds}))
        return
    if subprocess.run([chosen.peer, "-c", "import pytorch_fid"], stderr=subprocess.DEVNULL).returncode:
        sys.exit(f"{chosen.peer} cannot import pytorch_fid: name one that can with --peer")
    result = compare(chosen.peer, chosen.rounds, chosen.features, chosen.dimension)
    for who, taken in result["seconds"].items():
        print(f"{who:<12} {taken:8.2f} s   distance {result['distance'][who]:.10f}")
    print(
        f"{result['times_faster']:.1f} times as fast, relative difference {result['relative_difference']:.1e}"
    )
    print(json.dumps(result))
    if result["times_faster"] < 1 or result["relative_difference"] > 1e-4:
        sys.exit("MISSED: at least as fast, and equal to 1e-4, was asked for")


if __name__ == "__main__":
    main()
