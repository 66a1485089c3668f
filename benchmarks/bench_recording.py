"""What recording costs a training: appending the events of a run, as its worker does, beside a step's time.

    python -m benchmarks.bench_recording [--preset mnist] [--seconds 10] [--events 500]

In turns: some steps of the preset on synthetic images, and some rows of metrics appended to a run's record.
Prints what a row costs, and its share of the steps between two rows, which should be below 0.5 %.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from unittest import mock

from ddpm import data
from ddpm.bench import Steps, synthetic
from ddpm.config import TrainingConfig
from ddpm.configfiles import resolve
from ddpm.events import Metrics
from runs.directory import RunDirectory
from runs.worker import Recorder

LIMIT = 0.5  # percent


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--preset", default="mnist")
    parser.add_argument("--seconds", type=float, default=10, help="of training in all")
    parser.add_argument("--events", type=int, default=500, help="rows appended in all")
    parser.add_argument("--device", default="auto")
    asked = parser.parse_args()
    config, _ = resolve(asked.preset)
    rounds = 5
    step_times, row_times = [], []
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(RunDirectory(Path(folder)))
        with mock.patch.object(data, "load", synthetic(config)):
            steps = Steps(config, asked.device, Path(folder), log_every=1)
            steps.window()
            for _ in range(rounds):
                seen, passed = steps.measure(asked.seconds / rounds)
                step_times.append(passed / (seen / config.training.batch_size))
                row_times.append(_row_seconds(recorder, asked.events // rounds))
            steps.close()
    step, row = statistics.median(step_times), statistics.median(row_times)
    print(f"a step of {asked.preset} takes {1000 * step:.1f} ms, a row of metrics {1e6 * row:.0f} µs")
    usual = TrainingConfig.model_fields["log_every"].default
    for title, every in (
        ("its log_every", config.training.log_every),
        ("the default", usual),
        ("every step", 1),
    ):
        share = statistics.median(100 * r / (every * s) for r, s in zip(row_times, step_times, strict=True))
        verdict = "ok" if share < LIMIT else "MISSED"
        print(f"{title:>14} ({every:3}): {share:.4f} % of the steps' time   limit {LIMIT} % {verdict}")


def _row_seconds(recorder: Recorder, count: int) -> float:
    """The mean time of a row, from the event to the line in the file."""
    began = time.perf_counter()
    for step in range(count):
        recorder.record(Metrics(step, 32 * step, 0.0312, 2e-4, 0.151, 123.4))
    return (time.perf_counter() - began) / count


if __name__ == "__main__":
    main()
