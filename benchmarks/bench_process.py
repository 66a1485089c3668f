"""What it brings how a process waits and keeps its memory (`ddpm.process`), alone and beside other work.

    python -m benchmarks.bench_process [--preset digits] [--seconds 10] [--busy 2]

Trains a preset in fresh processes in each of the ways in turns, alone and beside `--busy` programs that keep
a core each, and prints images per second and the ratio to torch's default. `ddpm-tui` has its workers do as
`ddpm.process` says unless the environment does.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from ddpm import process

BUSY = "while True: sum(range(10000))"


def measure(preset: str, seconds: float) -> float:
    """Images per second of training `preset` in this process."""
    from ddpm import data
    from ddpm.configfiles import resolve
    from ddpm.training import Training

    config, _ = resolve(preset)
    root = Path(os.environ.get("DDPM_DATA", "."))
    training = Training(config, Path(), device="cpu", data_root=root)
    training._prepare(data.load(config.data, root).images, None)
    training._train_step()
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        training._train_step()
    return (training.images_seen - config.training.batch_size) / (time.perf_counter() - start)


#: As the environment says them.
WAYS: dict[str, dict[str, str]] = {
    "torch's default": {},
    "awake": {"OMP_WAIT_POLICY": "ACTIVE"},
    "asleep": {"OMP_WAIT_POLICY": "PASSIVE"},
    "ours, memory given back": {},
    "ours": {},
}
process.settle(WAYS["ours"])
WAYS["ours, memory given back"] = {k: v for k, v in WAYS["ours"].items() if not k.startswith("MALLOC_")}


def in_fresh_process(way: str, preset: str, seconds: float) -> float:
    """`measure` in that way."""
    told = {name for variables in WAYS.values() for name in variables}
    environment = {k: v for k, v in os.environ.items() if k not in told} | WAYS[way]
    command = [
        sys.executable,
        "-m",
        "benchmarks.bench_process",
        "--measure",
        "--preset",
        preset,
        "--seconds",
        str(seconds),
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--preset", default="digits")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--busy", type=int, default=2, help="programs that keep a core each")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(measure(arguments.preset, arguments.seconds))
        return
    for title, count in (("alone", 0), (f"beside {arguments.busy} busy programs", arguments.busy)):
        others = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
        try:
            rates: dict[str, list[float]] = {way: [] for way in WAYS}
            for _ in range(arguments.rounds):
                for way, found in rates.items():
                    found.append(in_fresh_process(way, arguments.preset, arguments.seconds))
        finally:
            for other in others:
                other.kill()
        reference = statistics.median(rates["torch's default"])
        for way, found in rates.items():
            rate = statistics.median(found)
            print(f"{title:<24} {way:<24} {rate:8.1f} images/s   ×{rate / reference:.2f}")


if __name__ == "__main__":
    main()
