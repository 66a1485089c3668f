"""Our engine beside its peers, in turns, on the same networks, batches and images.

    make bench [BENCH="--rounds 9 --networks mnist --only diffusers --with channels_last,fused"]
    python -m benchmarks.bench_peers --table      the README's table of what was measured

Each engine has a process that is started once, warmed, and then works a slice at a time while the others
wait; a round is a slice of each, the order turned about from round to round. Kept in benchmarks/results/.
Ctrl-C ends the rounds and keeps what there is. Features are measured where --data and --weights name CIFAR-10
and the Inception weights (or DDPM_REAL_DATA and DDPM_INCEPTION do); they need the extra `peers`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.peers import machine, ratios, table
from benchmarks.peers.environment import HOME, ROOT, python_of
from benchmarks.peers.networks import NETWORKS, specification, write_images
from benchmarks.peers.turns import Worker, WorkerError

RESULTS = ROOT / "benchmarks" / "results"
#: How far the outputs of the identical function may lie apart, relative to the largest.
AGREEMENT = 1e-4


@dataclass
class Measured:
    """One engine on one network. Rates in images/s, start-ups in seconds, memory in MiB, a value a round."""

    facts: dict[str, Any] = field(default_factory=dict)
    training: list[float] = field(default_factory=list)
    sampling: list[float] = field(default_factory=list)
    training_core: list[float] = field(default_factory=list)  #: images per core-second
    sampling_core: list[float] = field(default_factory=list)
    start_up: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)


class Network:
    """The measurement of one network."""

    def __init__(self, name: str, engines: dict[str, Path], asked: argparse.Namespace) -> None:
        self.name, self._engines, self._asked = name, engines, asked
        self.found = {engine: Measured() for engine in engines}
        self.agreement: dict[str, float] = {}
        folder = write_images(name, HOME)
        self.told = specification(name, folder, asked.batch, asked.draw, asked.threads)
        self._specification = HOME / f"{name}.json"
        self._write()
        if "ddpm-pytorch" in engines:
            words = [str(engines["ddpm-pytorch"]), "-m", "benchmarks.peers.engine_ddpm_pytorch"]
            done = subprocess.run(
                [*words, str(self._specification)], check=True, capture_output=True, text=True, cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip
            self.told["dim"] = int(done.stdout)
            self._write()

    def _write(self) -> None:
        self._specification.write_text(json.dumps(self.told), encoding="utf-8")

    def measure(self) -> None:
        """Starts all, sees that they agree, and lets them take turns; keeps what there is when it ends."""
        with ExitStack() as stack:
            workers = {engine: stack.enter_context(self._start(engine)) for engine in self._engines}
            for engine, worker in workers.items():  # a step more, so that nothing is done for the first time
                worker.ask("train", seconds=1.0)
                self.found[engine].memory.append(worker.ask("memory")["peak_mib"])
                self.found[engine].facts = worker.ask("facts")
            self._agree(workers)
            for worker in workers.values() if self._asked.draw else ():
                worker.ask("draw")
            for number in range(self._asked.rounds):
                self._round(number, workers)
        for number in range(self._asked.starts - 1):  # the first was of the workers themselves
            for engine in self._in_turn(number):
                self._start(engine).close()

    def _start(self, engine: str) -> Worker:
        log = HOME / "logs" / f"{self.name}-{engine.replace(':', '-')}.txt"
        worker = Worker(self._engines[engine], engine, self._specification, log)
        self.found[engine].start_up.append(worker.start_up)
        _say(f"{self.name}  {engine:36} started in {worker.start_up:.1f} s")
        return worker

    def _agree(self, workers: dict[str, Worker]) -> None:
        path = HOME / f"{self.name}.safetensors"
        workers["ours"].ask("export", path=str(path))
        for engine, worker in workers.items():
            if engine.startswith("diffusers"):
                apart = worker.ask("agree", path=str(path))["value"]
                self.agreement[engine] = apart
                if not apart <= AGREEMENT:
                    raise WorkerError(f"{engine} says something else than ours: {apart:.1e} apart")

    def _round(self, number: int, workers: dict[str, Worker]) -> None:
        for engine in self._in_turn(number):
            rate, by_core = workers[engine].rates("train", seconds=self._asked.seconds)
            self.found[engine].training.append(rate)
            self.found[engine].training_core.append(by_core)
            _say(f"{self.name}  {engine:36} round {number + 1}: trains {rate:.1f} images/s")
        for engine in self._in_turn(number) if self._asked.draw else ():
            rate, by_core = workers[engine].rates("draw")
            self.found[engine].sampling.append(rate)
            self.found[engine].sampling_core.append(by_core)
            _say(f"{self.name}  {engine:36} round {number + 1}: draws {rate:.2f} images/s")

    def _in_turn(self, number: int) -> list[str]:
        order = list(self._engines)
        return order[::-1] if number % 2 else order

    def result(self, place: dict[str, Any], features: dict[str, Any] | None) -> dict[str, Any]:
        """What is kept. Rounds that ended early are told by the shorter lists."""
        engines = {engine: vars(found) for engine, found in self.found.items()}
        return {
            "network": self.name,
            "machine": place,
            "batch_size": self.told["batch"],
            "drawn_at_once": self.told["draw"],
            "sampling_steps": self.told["steps"],
            "shape": [self.told["image_channels"], self.told["image_size"], self.told["image_size"]],
            "agreement": self.agreement,
            "ratios": {e: ratios.against(engines["ours"], of) for e, of in engines.items() if e != "ours"},
            "features": features,
            "engines": engines,
        }


def engines(asked: argparse.Namespace) -> dict[str, Path]:
    """Ours and the peers asked for, each with the Python it runs on."""
    found = {"ours": Path(sys.executable)}
    if "diffusers" in asked.only:
        python = python_of("diffusers", clean=asked.clean)
        options = asked.options if asked.options is not None else _worthwhile()
        found |= {f"diffusers:{given}" if given else "diffusers": python for given in ("", *options)}
    if "ddpm-pytorch" in asked.only:
        found["ddpm-pytorch"] = python_of("ddpm-pytorch", clean=asked.clean)
    return found


def _worthwhile() -> list[str]:
    """The options that diffusers is measured with here; `compile` takes minutes and must be asked for."""
    flags = machine.describe()["flags"]
    bf16 = "avx512_bf16" in flags or "amx_bf16" in flags
    return ["fused,workers", "channels_last,fused,workers"] + (
        ["channels_last,fused,workers,bf16"] if bf16 else []
    )


def features(data: str | None, weights: str | None, rounds: int) -> dict[str, Any] | None:
    """Inception features per second beside pytorch-fid's and torch-fidelity's; None where that cannot be."""
    if not data or not weights:
        return None
    words = ["-m", "benchmarks.bench_features", data, weights, "--rounds", str(rounds), "--json"]
    done = subprocess.run([sys.executable, *words], check=False, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else None


def kept(folder: Path) -> list[dict[str, Any]]:
    """All results in a folder, machine by machine, in the networks' order."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    order = list(NETWORKS)
    ours = [result for result in found if "engines" in result]
    return sorted(ours, key=lambda result: (result["machine"]["processor"], order.index(result["network"])))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="of training in a slice")
    parser.add_argument("--batch", type=int, default=32, help="images of a training step")
    parser.add_argument("--draw", type=int, default=16, help="images drawn at once; 0: no sampling")
    parser.add_argument("--starts", type=int, default=2, help="starts of each engine that are timed")
    parser.add_argument("--threads", type=int, help="of each engine; default: its own choice")
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    peers = ("diffusers", "ddpm-pytorch")
    parser.add_argument("--only", nargs="*", choices=peers, default=peers, help="these peers")
    parser.add_argument(
        "--with", dest="options", nargs="*", metavar="OPTIONS", help="diffusers also with these options, "
        "each a list of channels_last,fused,workers,bf16,compile,settled; default: the best here",
    )  # fmt: skip
    parser.add_argument("--clean", action="store_true", help="peers in environments that share nothing")
    parser.add_argument("--data", default=os.environ.get("DDPM_REAL_DATA"), help="folder with CIFAR-10")
    parser.add_argument("--weights", default=os.environ.get("DDPM_INCEPTION"), help="Inception weights")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument(
        "--table", action="store_true", help="print the table of what is kept; measure nothing"
    )
    parser.add_argument("--cores", action="store_true", help="the table's rates by core-seconds")
    asked = parser.parse_args()
    measures = table.CORE_MEASURES if asked.cores else table.MEASURES
    if asked.table:
        print("\n".join(table.lines(kept(asked.out), measures)))
        return 0
    asked.out.mkdir(parents=True, exist_ok=True)
    chosen, stopped, results = engines(asked), False, []
    scored = features(asked.data, asked.weights, asked.rounds)
    for name in asked.networks:
        place, network = machine.describe(), Network(name, chosen, asked)
        try:
            network.measure()
        except KeyboardInterrupt:
            stopped = True
        if all(found.training for found in network.found.values()):
            results.append(network.result(place, scored))
            path = asked.out / f"{machine.slug(place)}-{name}.json"
            path.write_text(json.dumps(results[-1], indent=2) + "\n", encoding="utf-8")
            _say(f"kept in {path.relative_to(ROOT) if path.is_relative_to(ROOT) else path}")
        if stopped:
            break
    print(
        "\n".join(table.lines(results, measures)) if results else "nothing was measured to the end of a round"
    )
    return 130 if stopped else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except WorkerError as error:
        sys.exit(str(error))
