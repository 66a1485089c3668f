"""Before a launch: which devices there are, whether the chosen one is busy, whether the disk will do."""

from __future__ import annotations

import functools
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from ddpm import averages, sizes
from ddpm.config import Config
from ddpm.evaluation.places import find_weights
from runs import directory, interpreter, queueing
from runs.directory import RunDirectory
from runs.errors import RunError
from runs.home import Home, inception_weights
from runs.humanize import bytes_text
from runs.status import running

#: Memory that an idle GPU's driver and desktop may take without being called busy.
_IDLE_SHARE = 0.1
#: Of one image: 2048 float32 numbers of the Inception network.
_FEATURE_BYTES = 4 * 2048


def warnings(
    home: Home,
    config: Config,
    device: str,
    *,
    trains: bool = True,
    features: int = 0,
    after: RunDirectory | None = None,
) -> list[str]:
    """What a person should know before starting this on that device, one line each.

    Only what `trains` writes checkpoints. features: images whose features an evaluation keeps on disk.
    after: the run that it waits for.
    """
    needed = {"features": feature_bytes(features)}
    if trains:
        needed["checkpoints"] = checkpoint_bytes(config)
        if config.evaluation.every:
            needed["features"] += feature_bytes(config.evaluation.samples)
    judges = trains and config.evaluation.every > 0
    return [
        *unsuited(config),
        *(_busy(home, resolve(device), trains) if after is None else _waited_for(home, after)),
        *_short_of_disk(home, needed),
        *(_without_weights(home, config) if judges else ()),
    ]


def unsuited(config: Config) -> list[str]:
    """What is allowed, and draws badly."""
    sampling, found = config.sampling, []
    if sampling.sampler == "heun" and sampling.spacing in ("uniform", "quadratic"):
        found.append(
            f"sampling.spacing: heun strides too far in sigma on {sampling.spacing} timesteps; log_snr or "
            "karras suit it"
        )
    return found


@functools.cache
def devices() -> list[dict[str, Any]]:
    """The devices of this machine, best first, as `ddpm.devices.DeviceInfo` describes them.

    Asks a process of its own, as only torch knows; takes seconds the first time. RunError where torch
    does not work.
    """
    try:
        done = subprocess.run(
            interpreter.command("ddpm.devices"),
            env=interpreter.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if done.returncode == 0:
            found: list[dict[str, Any]] = json.loads(done.stdout)
            return found
        reason = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
    except subprocess.TimeoutExpired:
        reason = "no answer within 120 s"
    except (OSError, ValueError) as error:
        reason = str(error)
    raise RunError(f"the devices could not be listed: {reason}")


# -- disk -------------------------------------------------------------------------------------------


def checkpoint_bytes(config: Config) -> int:
    """Bytes that a training's checkpoints take at most, by arithmetic.

    A checkpoint holds the network, its averages and Adam's two moments in float32. Kept are the last
    `keep_checkpoints`, one more while it is written, every milestone, and all snapshots of averages.
    """
    training, network = config.training, sizes.parameters(config)
    one = 4 * (4 + len(averages.kept(training))) * network
    milestones = training.steps // training.milestone_every if training.milestone_every else 0
    written = training.steps // training.checkpoint_every + 1
    snapshots = training.steps // training.ema_snapshots if training.ema_snapshots else 0
    beside = snapshots * 2 * len(training.ema_lengths) * network
    return one * (min(training.keep_checkpoints, written) + 1 + milestones) + beside


def feature_bytes(images: int) -> int:
    """Bytes that the features of so many images take while an evaluation is at work."""
    return images * _FEATURE_BYTES


def _short_of_disk(home: Home, needed: Mapping[str, int]) -> list[str]:
    total, free = sum(needed.values()), shutil.disk_usage(home.path).free
    if total <= free:
        return []
    what = " and ".join(sorted(name for name, size in needed.items() if size))
    return [f"the disk will not hold the {what}: they take {bytes_text(total)}, {bytes_text(free)} are free"]


def _without_weights(home: Home, config: Config) -> list[str]:
    """Hours later it is told in a notice of the training; here while someone looks."""
    if inception_weights(config.evaluation.weights) or find_weights(home.weights):
        return []
    return [
        "the FID Inception weights are not on this machine: the training will download them (91 MB), and "
        "goes on without evaluating itself where it cannot"
    ]


# -- device -----------------------------------------------------------------------------------------


def resolve(device: str) -> str:
    """The device a name most likely means, found without torch: "auto" is "cuda:0" where NVML has a GPU."""
    name = device.strip().lower()
    if name == "auto":
        if _memory("cuda:0") is not None:
            return "cuda:0"
        return "mps" if (platform.system(), platform.machine()) == ("Darwin", "arm64") else "cpu"
    return name if ":" in name or name in ("cpu", "mps") else f"{name}:0"


def _busy(home: Home, device: str, trains: bool) -> list[str]:
    live = [
        run
        for info, run in directory.infos(home)
        if running(run.path) and resolve(str(info.get("device") or "auto")) == device
    ]
    there = [run for run in live if queueing.awaited(run) is None]
    if there:
        verb = "runs" if len(there) == 1 else "run"
        last = max(live, key=lambda run: run.id)  # of those that wait already, if there are any
        later = f" (--after {last.id} begins when that has ended)" if trains else ""
        return [f"{device} is busy: {_names(there)} {verb} on it; each will be slower{later}"]
    memory = _memory(device)
    if memory is not None and memory[0] > _IDLE_SHARE * memory[1]:
        used, total = map(bytes_text, memory)
        return [f"{device} is busy: {used} of its {total} memory are in use by other programs"]
    return []


def _waited_for(home: Home, after: RunDirectory) -> list[str]:
    others = queueing.waiting_for(home, after)
    if not others:
        return []
    last = max(others, key=lambda run: run.id)
    verb = "waits" if len(others) == 1 else "wait"
    return [
        f"{_names(others)} {verb} for {_names([after])} as well, and will begin at the same time "
        f"(--after {last.id} begins when that has ended)"
    ]


def _names(runs: Sequence[RunDirectory]) -> str:
    return ", ".join(f"{run.name} (#{run.id})" for run in runs)


def _memory(device: str) -> tuple[int, int] | None:
    """(used, total) bytes of a CUDA device by NVML; None where there is none or NVML does not work."""
    kind, _, index = device.partition(":")
    if kind != "cuda":
        return None
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        try:
            memory = pynvml.nvmlDeviceGetMemoryInfo(_handle(pynvml, int(index)))
            return int(memory.used), int(memory.total)
        finally:
            pynvml.nvmlShutdown()
    except (pynvml.NVMLError, ValueError, IndexError):
        return None


def _handle(pynvml: Any, index: int) -> Any:
    """NVML counts all GPUs, CUDA only those that CUDA_VISIBLE_DEVICES lists (numbers or UUIDs)."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return pynvml.nvmlDeviceGetHandleByIndex(index)
    chosen = [part.strip() for part in visible.split(",") if part.strip()][index]
    if chosen.isdigit():
        return pynvml.nvmlDeviceGetHandleByIndex(int(chosen))
    return pynvml.nvmlDeviceGetHandleByUUID(chosen)
