"""What a network that is kept ready saves: a grid of the Try screen against a run of the same images.

    python -m benchmarks.bench_live RUN [--count 16] [--steps 2] [--rounds 5]

In turns: a request to a warm process (`runs.live`), from asking to having the PNG, and `ddpm-tui sample`
from its start to its end. Prints the medians, the ratio of each round's two, and their range.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from runs import interpreter
from runs.directory import RunDirectory
from runs.live import Drawn, Live, Ready, Refused


def warm(live: Live, count: int, steps: int, seed: int) -> float:
    """Seconds of one grid."""
    began = time.perf_counter()
    number = live.ask({"count": count, "steps": steps, "seed": seed})
    for answer in live.answers():
        if isinstance(answer, Refused):
            raise SystemExit(answer.error)
        if isinstance(answer, Drawn) and answer.id == number:
            return time.perf_counter() - began
    raise SystemExit("the process ended")


def cold(home: Path, run: RunDirectory, count: int, steps: int, seed: int) -> float:
    """Seconds of one sampling run."""
    words = ["--home", str(home), "sample", str(run.id), "-n", str(count), "--steps", str(steps)]
    began = time.perf_counter()
    subprocess.run(
        interpreter.command("runs.cli.main", *words, "--seed", str(seed)),
        env=interpreter.environment(),
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("run", type=Path, help="run directory of a trained diffusion model")
    parser.add_argument("--count", type=int, default=16, help="images of a grid")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        shutil.copytree(arguments.run, home / "runs" / arguments.run.name)
        run = RunDirectory(home / "runs" / arguments.run.name)
        live = Live(run)
        assert isinstance(next(live.answers()), Ready)
        pairs = []
        for seed in range(arguments.rounds + 1):
            shape = arguments.count, arguments.steps, seed
            pairs.append((warm(live, *shape), cold(home, run, *shape)))
        live.close()
    pairs = pairs[1:]  # the first of each is slower
    ratios = [after / before for before, after in pairs]
    ready, started = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(f"{arguments.count} images in {arguments.steps} steps: warm {ready:.3f} s, a run {started:.2f} s")
    print(f"ratio {statistics.median(ratios):.0f} ({min(ratios):.0f} to {max(ratios):.0f})")


if __name__ == "__main__":
    sys.exit(main())
