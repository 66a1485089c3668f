"""How fast the engine is here: training, sampling, memory, start-up, and where a step's time goes, as JSON.

    python -m ddpm.bench [--preset mnist | --config FILE.toml] [--set section.key=value]… [--device auto]
                         [--batch N] [--rounds 5] [--seconds 3] [--threads N] [--peak GFLOP/s]

Trains by iterating over `ddpm.training.Training`, the very path of a run, on synthetic images of the data's
shape; draws by `ddpm.subject.Subject.draw`, as runs do. Needs torch, torchvision, what they bring, scipy,
safetensors, pydantic.
"""

from __future__ import annotations

import os
import sys
import time

_BEGAN = time.perf_counter()  # before torch: start-up counts it

from ddpm import process  # noqa: E402

if __name__ == "__main__" and process.settle(os.environ):  # as in every run
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])

import argparse  # noqa: E402
import collections  # noqa: E402
import json  # noqa: E402
import math  # noqa: E402
import platform  # noqa: E402
import resource  # noqa: E402
import statistics  # noqa: E402
import tempfile  # noqa: E402
from collections.abc import Callable, Iterator, Sequence  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import torch  # noqa: E402
from torch.profiler import ProfilerActivity, profile  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from ddpm import compiled_drawing, data, devices, images, opkinds, unet  # noqa: E402
from ddpm.config import Config  # noqa: E402
from ddpm.configfiles import ConfigError, override, resolve  # noqa: E402
from ddpm.errors import EngineError  # noqa: E402
from ddpm.events import Event, Metrics  # noqa: E402
from ddpm.subject import Subject  # noqa: E402
from ddpm.training import Training  # noqa: E402

#: Images of the synthetic data set.
IMAGES = 1024
#: A run that lasts longer than any measurement, and writes and draws nothing meanwhile.
ENDLESS = (
    "training.steps=1_000_000_000", "training.checkpoint_every=1_000_000_000", "training.milestone_every=0",
    "training.sample_every=0", "training.ema_snapshots=0", "evaluation.every=0",
)  # fmt: skip
#: What is drawn: 50 steps of DDIM without noise.
DDIM = ("sampling.sampler=ddim", "sampling.steps=50", "sampling.eta=0", "sampling.guidance=1")


class Steps:
    """A training's steps, taken by iterating over it as a run's worker does.

    log_every: steps between two looks at its clock; None: as the configuration says.
    """

    def __init__(self, config: Config, device: str, root: Path, log_every: int | None = None) -> None:
        settings = [*ENDLESS, *([f"training.log_every={log_every}"] if log_every else [])]
        self.config = override(config, settings)
        self._folder = tempfile.TemporaryDirectory(prefix="ddpm-bench-")
        self._training = Training(self.config, Path(self._folder.name), device=device, data_root=root)
        self._events: Iterator[Event] = iter(self._training)

    def window(self) -> int:
        """Takes `training.log_every` steps, waits for the device and returns how many images they saw."""
        before = self._training.images_seen
        while not isinstance(next(self._events), Metrics):
            pass
        return self._training.images_seen - before

    def measure(self, seconds: float) -> tuple[int, float]:
        """(images, seconds) of as many windows as it takes to reach `seconds`, at least one."""
        seen, began = 0, time.perf_counter()
        while True:
            seen += self.window()
            if (passed := time.perf_counter() - began) >= seconds:
                return seen, passed

    def close(self) -> None:
        del self._events, self._training
        self._folder.cleanup()


class Drawing:
    """Draws images as a sampling run does, to uint8, with a new network (what it weighs takes no time)."""

    def __init__(self, config: Config, device: str, count: int) -> None:
        self.config, self.count = override(config, [*DDIM, f"sampling.batch_size={count}"]), count
        self._device = devices.resolve(device)
        precision = devices.precision(config.training.precision, self._device)
        network = unet.make(config).to(self._device).to(memory_format=torch.channels_last)
        subject = Subject(network.eval().requires_grad_(False), self._device, precision, 0, 0)
        self._subject = _compiled(subject, self.config, count)

    def once(self) -> tuple[int, float]:
        """(images, seconds) of one batch in 50 steps of DDIM."""
        _synchronize(self._device)
        began = time.perf_counter()
        steps = self._subject.draw(self.config, range(self.count))
        (last,) = collections.deque(steps, maxlen=1)
        images.to_uint8(last.x_t).cpu()  # waits for the device
        return self.count, time.perf_counter() - began


def _compiled(subject: Subject, config: Config, count: int) -> Subject:
    """With its network compiled where the configuration says so; what is told of that on standard error."""
    work = compiled_drawing.compiled(subject, config, count)
    while True:
        try:
            print(next(work).text, file=sys.stderr)
        except StopIteration as end:
            found: Subject = end.value
            return found


def synthetic(config: Config) -> Callable[..., data.ImageSet]:
    """Stands for `ddpm.data.load`: noise of the configured shape, with classes where they are told."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (IMAGES, *config.data.shape), dtype=torch.uint8, generator=generator)
    labels = torch.arange(IMAGES) % max(config.model.classes, 1)
    return lambda *_, **__: data.ImageSet(pixels, labels)


def training_flops(config: Config) -> float:
    """Floating-point operations of the network, forwards and back, for one training image.

    Those of the definition (torch's own operators, of shapes alone), however fewer a kernel gets by with.
    """
    count = 2
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        network = unet.make(config)
        network(torch.empty(count, *config.data.shape), torch.zeros(count, dtype=torch.long)).sum().backward()
    return counter.get_total_flops() / count


def measured_peak(device: torch.device, precision: torch.dtype, seconds: float = 1.0) -> float:
    """The best rate of a large matrix product there, in floating-point operations per second."""
    size = 8192 if device.type == "cuda" else 1536
    a = torch.randn(size, size, device=device, dtype=precision)
    best, began = 0.0, time.perf_counter()
    while best == 0 or time.perf_counter() - began < seconds:
        _synchronize(device)
        start = time.perf_counter()
        a @ a
        _synchronize(device)
        best = max(best, 2 * size**3 / (time.perf_counter() - start))
    return best


def peak_memory(device: torch.device) -> dict[str, float | None]:
    """MiB: the most this process had resident, and the most it had allocated on the device."""
    unit = 1024**2 if sys.platform == "darwin" else 1024
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    allocated = torch.cuda.max_memory_allocated(device) / 1024**2 if device.type == "cuda" else None
    return {"resident_mib": resident, "device_mib": allocated}


def profiled(config: Config, device: str, root: Path, count: int = 3) -> dict[str, Any]:
    """Where the time of a step goes: shares of its wall time by kind of work, and the largest operators."""
    kind = devices.resolve(device).type
    steps = Steps(config, device, root, log_every=1)
    for _ in range(3):
        steps.window()
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if kind == "cuda" else [])]
    with profile(activities=activities) as record:
        began = time.perf_counter()
        for _ in range(count):
            steps.window()
        seconds = time.perf_counter() - began
    steps.close()
    found = opkinds.spent(record, kind)
    return {
        "steps": count,
        "step_ms": 1000 * seconds / count,
        "shares": opkinds.shares(found, seconds),
        "largest": opkinds.largest(found, seconds),
    }


def bench(
    config: Config, device: str, *, rounds: int, seconds: float, count: int, peak: float | None
) -> dict:
    """All of it, as it is printed; `peak` in GFLOP/s, None: measured here."""
    place = devices.resolve(device)
    precision = devices.precision(config.training.precision, place)
    real, data.load = data.load, synthetic(config)  # training is given what it would have read
    try:
        with tempfile.TemporaryDirectory(prefix="ddpm-bench-") as folder:
            root = Path(folder)
            first = Steps(config, device, root, log_every=1)
            first.window()
            start_up = time.perf_counter() - _BEGAN
            first.close()
            steps = Steps(config, device, root)
            steps.measure(0)
            rates = [seen / passed for seen, passed in (steps.measure(seconds) for _ in range(rounds))]
            memory = peak_memory(place)
            steps.close()
            where = profiled(config, device, root)
    finally:
        data.load = real
    drawing = Drawing(config, device, count)
    drawing.once()
    drawn = [made / passed for made, passed in (drawing.once() for _ in range(rounds))]
    flops = training_flops(config)
    source = "given" if peak else f"the best matrix product here, {str(precision).removeprefix('torch.')}"
    reached = flops * statistics.median(rates) / 1e9
    limit = peak or measured_peak(place, precision) / 1e9
    return {
        "machine": machine(place),
        "configuration": {
            "model": config.model.model_dump(mode="json"),
            "shape": list(config.data.shape),
            "batch_size": config.training.batch_size,
            "precision": str(precision).removeprefix("torch."),
            "parameters": sum(p.numel() for p in unet.make(config).parameters()),
        },
        "training": {"images_per_second": spread(rates), "gflop_per_image": flops / 1e9},
        "sampling": {"images_per_second": spread(drawn), "batch_size": count, "steps": 50, "sampler": "ddim"},
        "start_up_seconds": start_up,
        "memory": memory,
        "utilisation": {
            "gflops": reached,
            "peak_gflops": limit,
            "peak": source,
            "model_flops_utilisation": reached / limit,
        },
        "step": where,
    }  # fmt: skip


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and most."""
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def machine(device: torch.device) -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "device": devices.title(device),
        "threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "bfloat16_pays": devices.bfloat16_pays(device),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.system(),
    }


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def whole(text: str) -> int:
    """A whole number above 0, of an option."""
    if not text.isdecimal() or not 0 < int(text) < 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def amount(text: str) -> float:
    """A number above 0, of an option."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ddpm.bench", description=(__doc__ or "").splitlines()[0])
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--preset", default="mnist")
    source.add_argument("--config", help="a TOML file")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="section.key=value")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batch", type=whole, help="images of a training step; default: the configuration's")
    parser.add_argument("--draw", type=whole, default=16, help="images that are drawn at once")
    parser.add_argument("--rounds", type=whole, default=5)
    parser.add_argument("--seconds", type=amount, default=3, help="of training in a round")
    parser.add_argument("--threads", type=whole, help="of the CPU")
    parser.add_argument("--peak", type=amount, metavar="GFLOP/S", help="of the device; default: measured")
    parser.add_argument("--json", action="store_true", help="as ever: nothing else is printed")
    asked = parser.parse_args(argv)
    if asked.threads:
        torch.set_num_threads(asked.threads)
    settings = [*asked.set, *([f"training.batch_size={asked.batch}"] if asked.batch else [])]
    try:
        config, _ = resolve(asked.config or asked.preset, settings)
        if config.objective == "consistency":
            raise EngineError(
                "training.objective: a consistency tuning begins with a trained run; bench that"
            )
        override(config, DDIM)  # before the minutes of training, what could not be drawn afterwards
        found = bench(
            config,
            asked.device,
            rounds=asked.rounds,
            seconds=asked.seconds,
            count=asked.draw,
            peak=asked.peak,
        )
    except (ConfigError, EngineError) as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
