"""How busy this machine is: processor, memory and, where there are any, GPUs. Not for the UI thread."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import psutil


@dataclass(frozen=True, slots=True)
class GpuLoad:
    """One graphics processor; memory in bytes, temperature in °C. Unknown is None."""

    index: int
    percent: float | None
    memory_used: int | None
    memory_total: int | None
    temperature: int | None


@dataclass(frozen=True, slots=True)
class Load:
    """One look at the machine; memory in bytes. `cpu_percent` is over the time since the look before."""

    cpu_percent: float | None
    memory_used: int
    memory_total: int
    gpus: tuple[GpuLoad, ...] = ()


class Sampler:
    """Looks at the machine when asked. Without NVIDIA's library or driver there are no GPUs."""

    def __init__(self) -> None:
        self._before: tuple[float, float] | None = None
        self._nvml: ModuleType | None = None
        self._handles: list[Any] | None = None  #: None: not looked for yet

    def sample(self) -> Load:
        """The load now."""
        memory = psutil.virtual_memory()
        return Load(self._cpu(), memory.total - memory.available, memory.total, self._gpus())

    def close(self) -> None:
        """Give NVIDIA's library back."""
        if self._nvml is not None:
            self._nvml.nvmlShutdown()
            self._nvml, self._handles = None, []

    def _cpu(self) -> float | None:
        times = psutil.cpu_times()
        total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        idle = times.idle + getattr(times, "iowait", 0.0)
        before, self._before = self._before, (total, idle)
        if before is None or total <= before[0]:
            return None
        return 100.0 * min(max(1.0 - (idle - before[1]) / (total - before[0]), 0.0), 1.0)

    def _gpus(self) -> tuple[GpuLoad, ...]:
        if self._handles is None:
            self._handles = self._find()
        return tuple(self._gpu(index, handle) for index, handle in enumerate(self._handles))

    def _find(self) -> list[Any]:
        try:
            import pynvml
        except ImportError:
            return []
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError:  # no driver, no GPU
            return []
        self._nvml = pynvml
        return [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]

    def _gpu(self, index: int, handle: Any) -> GpuLoad:
        nvml = self._nvml
        assert nvml is not None
        memory = self._ask("nvmlDeviceGetMemoryInfo", handle)
        rates = self._ask("nvmlDeviceGetUtilizationRates", handle)
        temperature = self._ask("nvmlDeviceGetTemperature", handle, nvml.NVML_TEMPERATURE_GPU)
        return GpuLoad(
            index,
            None if rates is None else float(rates.gpu),
            None if memory is None else int(memory.used),
            None if memory is None else int(memory.total),
            temperature,
        )

    def _ask(self, function: str, *arguments: Any) -> Any:
        """A GPU need not answer everything (MIG slices tell no utilisation)."""
        assert self._nvml is not None
        try:
            return getattr(self._nvml, function)(*arguments)
        except self._nvml.NVMLError:
            return None
