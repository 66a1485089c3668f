"""The devices of this machine: naming them, choosing one, and whether bfloat16 pays there.

`python -m ddpm.devices` prints them as JSON, best first, so that programs without torch can ask.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from ddpm.errors import EngineError
from ddpm.kernels import calling, library


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """A device and its memory, in bytes; unknown is None."""

    name: str  #: as it is asked for: "cuda:0", "mps", "cpu"
    title: str  #: what it is: "NVIDIA H200"
    memory_total: int | None
    memory_free: int | None
    kernels: str | None = None  #: of a processor: whose kernels the network's convolutions take, and why


def names() -> list[str]:
    """What this machine has, best first, "cpu" last. Touches no device."""
    accelerator = torch.accelerator.current_accelerator()
    if accelerator is None or not torch.accelerator.is_available():
        return ["cpu"]
    if accelerator.type == "mps":
        return ["mps", "cpu"]
    return [f"{accelerator.type}:{index}" for index in range(torch.accelerator.device_count())] + ["cpu"]


def resolve(name: str) -> torch.device:
    """The device of a name: "auto" (the best), "cpu", "mps", "cuda" (the first) or "cuda:1".

    Raises EngineError, naming the devices there are, for any other.
    """
    return torch.device(_choose(name, names()))


def _choose(wanted: str, present: Sequence[str]) -> str:
    asked = wanted.strip().lower()
    if asked == "auto":
        return present[0]
    for name in present:
        if asked in (name, name.partition(":")[0], f"{name}:0"):
            return name
    raise EngineError(f"device {wanted!r} is not on this machine; there are auto, {', '.join(present)}")


def title(device: torch.device) -> str:
    """What a device is, in words: "NVIDIA H200"."""
    if device.type == "cpu":
        return _processor()
    if device.type == "mps":
        return f"Apple GPU of {_processor()}"
    module = torch.get_device_module(device)
    return str(module.get_device_name(device)) if hasattr(module, "get_device_name") else device.type.upper()


def describe() -> list[DeviceInfo]:
    """All devices, best first, "cpu" last. Opens each of them: meant for a process of its own."""
    found = []
    for device in map(torch.device, names()):
        kernels = _kernels() if device.type == "cpu" else None
        found.append(DeviceInfo(str(device), title(device), *_memory(device), kernels))
    return found


def _kernels() -> str:
    found = library.found()
    return f"{'our own' if found.library else 'torch'}, {found.reason}"


def has_bfloat16(device: torch.device) -> bool:
    """Whether it has instructions for bfloat16; elsewhere it is emulated or gains nothing.

    True on CUDA from compute capability 8.0 (Ampere) on, and on processors with AMX or AVX-512 BF16.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    checks = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return device.type == "cpu" and any(getattr(torch.cpu, check, lambda: False)() for check in checks)


def bfloat16_pays(device: torch.device) -> bool:
    """Whether bfloat16 arithmetic is faster than float32 there: where it has it, and on a processor where a
    short measurement says so (`ddpm.precision`)."""
    if device.type != "cpu" or not has_bfloat16(device):
        return has_bfloat16(device)
    from ddpm.precision import bfloat16_wins  # not needed for a list of devices

    return bfloat16_wins()


def be_deterministic(device: torch.device) -> None:
    """Has torch choose, on this device, kernels that give the same bytes for the same input.

    The CPU's already do. Set for the whole process; a kernel without such a form warns and goes on.
    """
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when cuBLAS starts
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def attention_kernel(device: torch.device) -> AbstractContextManager[None]:
    """A context in which attention's gradient is the same on every call; CUDA's fused kernels' is not."""
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cuda" else nullcontext()


def precision(wanted: str, device: torch.device, before: str | None = None) -> torch.dtype:
    """The network's arithmetic: "float32", "bfloat16", or for "auto" bfloat16 where it pays.

    before: what "auto" was when a run began; it stays so, unless the device of now has no such arithmetic.
    """
    if wanted == "auto" and before in ("float32", "bfloat16"):
        wanted = before if has_bfloat16(device) else "float32"
    if wanted == "auto":
        return torch.bfloat16 if bfloat16_pays(device) else torch.float32
    return torch.bfloat16 if wanted == "bfloat16" else torch.float32


@contextmanager
def arithmetic(precision: torch.dtype, device: torch.device, *, compiled: bool = False) -> Iterator[None]:
    """A context in which a network computes with that precision; compiled: by `torch.compile`.

    bfloat16 is torch's autocast, but where the processor's kernels have it (`ddpm.kernels`): then only what
    layers multiply is rounded, not what comes out of them, which is faster there and more exact.
    """
    wanted = precision == torch.bfloat16
    own = wanted and device.type == "cpu" and not compiled and library.found().halves
    with calling.halves(own), torch.autocast(device.type, torch.bfloat16, enabled=wanted and not own):
        yield


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that memory ran out: torch has several words for it."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    words = ("can't allocate memory", "out of memory")  # the CPU's, mps's
    return isinstance(error, RuntimeError) and any(w in str(error) for w in words)


@contextmanager
def memory_told(device: torch.device, advice: str) -> Iterator[None]:
    """A context in which memory that runs out is an EngineError: one line with the device and `advice`."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise EngineError(f"out of memory on {device}: {advice}") from error


def _memory(device: torch.device) -> tuple[int | None, int | None]:
    """(all, free) bytes."""
    if device.type == "cpu":
        return _main_memory()
    if device.type == "mps":
        total = torch.mps.recommended_max_memory()
        return total, total - torch.mps.driver_allocated_memory()
    if device.type != "cuda":
        return None, None
    total = torch.cuda.get_device_properties(device).total_memory
    try:
        return total, torch.cuda.mem_get_info(device)[0]
    except RuntimeError:  # asking opens the device, which a full or exclusively used one refuses
        return total, None


def _processor() -> str:
    """Name of the processor and how many of its cores this process may use."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    found = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    name = next(found, "") or platform.processor() or platform.machine() or "CPU"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return f"{name}, {cores} core{'s' if cores > 1 else ''}"


def _main_memory() -> tuple[int | None, int | None]:
    sizes: dict[str, int] = {}
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            key, _, rest = line.partition(":")
            if key in ("MemTotal", "MemAvailable"):
                sizes[key] = int(rest.split()[0]) * 1024
    except OSError:  # not Linux
        if hasattr(os, "sysconf"):
            sizes["MemTotal"] = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return sizes.get("MemTotal"), sizes.get("MemAvailable")


if __name__ == "__main__":
    print(json.dumps([asdict(device) for device in describe()], indent=2))
