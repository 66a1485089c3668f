"""Latency and throughput of `serve`: a real server that computes requests together, beside one that does not.

    python -m benchmarks.bench_serve RUN [--steps 10] [--requests 32] [--rounds 3] [--json FILE]

RUN is a run directory with a checkpoint. Both servers are up at once and asked in turns, so that a slow hour
is slow for both; each of 1, 4 and 16 clients asks again as soon as it is answered.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import io
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ddpm import checkpoint, configfiles

#: Options of the server that computes every request by itself.
APART = ("--batch-size=1", "--batch-window=0")
CLIENTS = (1, 4, 16)

Request = tuple[str, bytes]


@contextlib.contextmanager
def server(run: Path, *options: str) -> Iterator[int]:
    """The port of one."""
    newest = checkpoint.whole(run)[-1].path
    command = [sys.executable, "-m", "ddpm.serving", str(newest), str(run / "config.toml"), "--port=0"]
    process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline().split(" (its page")[0].rpartition(":")[2])
    finally:
        process.terminate()
        process.wait()


def requests(run: Path, steps: int) -> dict[str, Callable[[int], Request]]:
    """Number of a request to (path, body), by what is asked."""
    channels, size, _ = configfiles.load(run / "config.toml").data.shape
    pixels = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels if channels == 3 else pixels[..., 0]).save(file, "PNG")
    image = file.getvalue()
    return {
        "generate an image": lambda i: ("/generate", json.dumps({"seed": i, "steps": steps}).encode()),
        "restore an image": lambda _: (f"/restore?task=inpaint&steps={steps}", image),
    }


def measured(port: int, request: Callable[[int], Request], clients: int, count: int) -> list[float]:
    """Seconds of each of `count` answers, and at the end those of all together."""
    numbers, found = iter(range(count)), []
    lock = threading.Lock()

    def work() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            begin = time.perf_counter()
            connection.request("POST", *request(number))
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"answered with {answer.status}")
            found.append(time.perf_counter() - begin)

    threads = [threading.Thread(target=work) for _ in range(clients)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(found) != count:
        raise RuntimeError(f"{count - len(found)} of {count} requests were not answered")
    return [*found, time.perf_counter() - begin]


def compared(
    ports: tuple[int, int], request: Callable[[int], Request], clients: int, args: argparse.Namespace
) -> dict[str, Any]:
    rates: tuple[list[float], list[float]] = ([], [])
    latencies: list[float] = []
    for _ in range(args.rounds):
        for port, own in zip(ports, rates, strict=True):
            *times, whole = measured(port, request, clients, args.requests)
            own.append(args.requests / whole)
            latencies += times if port == ports[0] else []
    ratios = [together / apart for together, apart in zip(*rates, strict=True)]
    return {
        "clients": clients,
        "median_ms": 1000 * statistics.median(latencies),
        "p95_ms": 1000 * sorted(latencies)[int(0.95 * (len(latencies) - 1))],
        "images_per_second": statistics.median(rates[0]),
        "apart_images_per_second": statistics.median(rates[1]),
        "ratio": statistics.median(ratios),
        "ratio_range": [min(ratios), max(ratios)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, help="run directory")
    parser.add_argument("--steps", type=int, default=10, help="network evaluations of an image")
    parser.add_argument("--requests", type=int, default=32, help="in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="file for the numbers")
    args = parser.parse_args()
    records = []
    with server(args.run) as together, server(args.run, *APART) as apart:
        for what, request in requests(args.run, args.steps).items():
            print(f"\n{what}, {args.steps} steps")
            print("clients  median ms   p95 ms  images/s     apart  ratio (range)")
            for port in (together, apart):
                measured(port, request, 1, 2)  # warm
            for clients in CLIENTS:
                row = compared((together, apart), request, clients, args)
                records.append({"what": what, "steps": args.steps, **row})
                low, high = row["ratio_range"]
                print(
                    f"{clients:7}{row['median_ms']:11.0f}{row['p95_ms']:9.0f}{row['images_per_second']:10.1f}"
                    f"{row['apart_images_per_second']:10.1f}  {row['ratio']:.2f} ({low:.2f} to {high:.2f})",
                    flush=True,
                )
    if args.json:
        args.json.write_text(json.dumps(records, indent=1) + "\n")


if __name__ == "__main__":
    main()
