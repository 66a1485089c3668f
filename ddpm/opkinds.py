"""Which kind of work an operator is, by its name: a profile then tells where a training step's time goes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

REST, OUTSIDE = "rest", "outside operators"
#: Parts of names (of operators, and of CUDA's kernels) by kind; the first kind that has one of them takes it.
KINDS: dict[str, tuple[str, ...]] = {
    "optimiser and EMA": (
        "fused_adam", "fusedadam", "_foreach", "multi_tensor", "lerp", "vector_norm", "optimizer",
        "clip_grad",
    ),
    "convolution": (
        "conv", "fprop", "dgrad", "wgrad", "cudnn", "nchwtonhwc", "nhwctonchw",
    ),
    "normalisation and activation": (
        "group_norm", "groupnorm", "layer_norm", "rms_norm", "norm_silu", "normalisation", "rowwisemoments",
        "computefusedparams", "silu", "gelu", "sigmoid",
    ),
    "attention": ("attention", "softmax", "bmm", "flash", "sdpa"),
    "linear": ("addmm", "aten::mm", "linear", "matmul", "gemm", "cutlass", "nvjet", "gemv"),
    "data and noise": (
        "aten::index", "normal", "uniform", "rand", "multinomial", "gather", "searchsorted", "bernoulli",
        "distribution",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds in an operator itself, without those it calls."""

    name: str
    seconds: float


def kind_of(name: str) -> str:
    """The kind of an operator or kernel: a key of KINDS, or REST."""
    lowered = name.lower()
    for kind, parts in KINDS.items():
        if any(part in lowered for part in parts):
            return kind
    return REST


def shares(spent: Iterable[Spent], seconds: float) -> dict[str, float]:
    """The share of `seconds` in each kind; OUTSIDE: in none (Python, waiting). They add up to 1."""
    found = dict.fromkeys((*KINDS, REST), 0.0)
    for item in spent:
        found[kind_of(item.name)] += item.seconds
    whole = max(seconds, sum(found.values()))  # operators of several streams can overlap
    result = {kind: value / whole for kind, value in found.items()}
    result[OUTSIDE] = 1 - sum(result.values())
    return result


def largest(spent: Iterable[Spent], seconds: float, count: int = 12) -> dict[str, float]:
    """The operators that take longest, by name, as shares of `seconds`."""
    ordered = sorted(spent, key=lambda item: -item.seconds)
    return {item.name[:60]: item.seconds / seconds for item in ordered[:count]}


def spent(profile: Any, device_type: str) -> list[Spent]:
    """What `torch.profiler.profile` has recorded: on the CPU its operators, on CUDA the kernels alone."""
    from torch.autograd import DeviceType

    on_cuda = device_type == "cuda"
    wanted = DeviceType.CUDA if on_cuda else DeviceType.CPU
    found = []
    for event in profile.key_averages():
        if event.device_type == wanted:
            micros = event.self_device_time_total if on_cuda else event.self_cpu_time_total
            if micros > 0 and not event.key.startswith("ProfilerStep"):
                found.append(Spent(event.key, micros / 1e6))
    return found
