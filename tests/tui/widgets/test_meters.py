"""The line of meters, on real and on given loads."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import psutil
import pynvml
import pytest

from tests.tui.widgets.hosts import Host, until
from tui.widgets.load import GpuLoad, Load, Sampler
from tui.widgets.meters import Meters, line

GPU = GpuLoad(0, 87.0, 20_000_000_000, 141_000_000_000, 54)
LOAD = Load(42.0, 3_100_000_000, 24_000_000_000)


def test_the_line_in_full() -> None:
    assert line(LOAD, 100) == "CPU ▕██▌   ▏ 42%  MEM ▕▊     ▏ 3.1/24 GB"
    full = line(Load(5.0, 1, 10**9, (GPU,)), 120)
    assert full.endswith("GPU0 ▕█████▏▏ 87% 20/141 GB 54°C")


@pytest.mark.parametrize("width", range(0, 120, 3))
@pytest.mark.parametrize("gpus", [0, 1, 8])
def test_it_fits_any_width(width: int, gpus: int) -> None:
    assert len(line(Load(42.0, 1, 10**9, (GPU,) * gpus), width)) <= width


def test_what_does_not_fit_is_counted() -> None:
    assert (
        line(Load(42.0, 3_100_000_000, 24_000_000_000, (GPU,) * 8), 40) == "CPU  42%  MEM 3.1/24 GB  +8 GPU"
    )


def test_a_gpu_that_tells_little_is_still_shown() -> None:
    assert "GPU3" in line(Load(1.0, 1, 10**9, (GpuLoad(3, None, None, None, None),)), 100)


def test_a_sample_is_of_this_machine() -> None:
    sampler = Sampler()
    assert sampler.sample().cpu_percent is None
    end = psutil.cpu_times()
    while psutil.cpu_times() == end:
        sum(range(10_000))
    load = sampler.sample()
    assert load.memory_total == psutil.virtual_memory().total
    assert 0 < load.memory_used < load.memory_total
    assert load.cpu_percent is not None
    assert 0 <= load.cpu_percent <= 100
    sampler.close()


async def test_it_fills_itself() -> None:
    meters = Meters()
    async with Host(meters).run_test(size=(80, 3)) as pilot:
        await until(pilot, lambda: meters.load)
        assert meters.render().plain.startswith("CPU")


def test_gpus_are_asked_and_one_may_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    """NVIDIA's library answered for by hand: a whole GPU, and a slice that tells only its memory."""

    def refuse(handle: int, *more: object) -> object:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)

    def first_only(answer: object) -> Callable[..., object]:
        return lambda handle, *more: answer if handle == 0 else refuse(handle)

    memory = SimpleNamespace(used=2 * 10**9, total=80 * 10**9)
    answers: dict[str, Callable[..., object]] = {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetMemoryInfo": lambda handle: memory,
        "nvmlDeviceGetUtilizationRates": first_only(SimpleNamespace(gpu=87)),
        "nvmlDeviceGetTemperature": first_only(54),
    }
    for name, answer in answers.items():
        monkeypatch.setattr(pynvml, name, answer)
    sampler = Sampler()
    assert sampler.sample().gpus == (
        GpuLoad(0, 87.0, 2 * 10**9, 80 * 10**9, 54),
        GpuLoad(1, None, 2 * 10**9, 80 * 10**9, None),
    )
    sampler.close()
    assert sampler.sample().gpus == ()


def test_without_a_driver_there_are_no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", missing)
    assert Sampler().sample().gpus == ()
