from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch

from ddpm import devices, precision
from ddpm.errors import EngineError
from ddpm.kernels import library

PRESENT = ["cuda:0", "cuda:1", "cpu"]


@pytest.mark.parametrize(
    ("asked", "present", "chosen"),
    [
        ("auto", PRESENT, "cuda:0"),
        ("auto", ["cpu"], "cpu"),
        ("auto", ["mps", "cpu"], "mps"),
        ("cuda", PRESENT, "cuda:0"),
        ("cuda:1", PRESENT, "cuda:1"),
        (" CUDA:1 ", PRESENT, "cuda:1"),
        ("cpu", PRESENT, "cpu"),
        ("cpu:0", PRESENT, "cpu"),
        ("mps", ["mps", "cpu"], "mps"),
    ],
)
def test_names_choose_among_what_is_present(asked: str, present: list[str], chosen: str) -> None:
    assert devices._choose(asked, present) == chosen


@pytest.mark.parametrize("asked", ["cuda:2", "mps", "gpu", "", "cuda:", "cuda:-1", "cpu:1", "[red]", "meta"])
def test_absent_device_names_those_present(asked: str) -> None:
    with pytest.raises(EngineError, match="there are auto, cuda:0, cuda:1, cpu") as caught:
        devices._choose(asked, PRESENT)
    assert repr(asked) in str(caught.value)


def test_resolve_gives_devices_that_work() -> None:
    for name in ("auto", "cpu", *devices.names()):
        assert float(torch.ones(3, device=devices.resolve(name)).sum()) == 3
    with pytest.raises(EngineError, match="cpu"):
        devices.resolve("cuda:99")


def test_titles_and_memory_of_all_devices() -> None:
    described = devices.describe()
    assert [device.name for device in described] == devices.names()
    assert described[-1].name == "cpu"
    assert (described[-1].kernels or "").startswith(("our own, ", "torch, "))
    for device in described:
        assert device.title == devices.title(torch.device(device.name)) != ""
        assert device.memory_total is None or device.memory_total > 2**20
        if device.memory_free is not None and device.memory_total is not None:
            assert 0 <= device.memory_free <= device.memory_total


def test_bfloat16_pays_only_where_it_is_native(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    assert not devices.bfloat16_pays(cpu)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    for measured in (True, False):  # and there where it was measured to
        monkeypatch.setattr(precision, "bfloat16_wins", lambda m=measured: m)
        assert devices.bfloat16_pays(cpu) is measured
    assert not devices.bfloat16_pays(torch.device("mps"))
    for capability, pays in (((7, 5), False), ((8, 0), True), ((9, 0), True)):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _, c=capability: c)
        assert devices.bfloat16_pays(torch.device("cuda:0")) is pays


def test_auto_stays_what_it_was_where_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    for has, pays in ((True, True), (True, False), (False, False)):
        monkeypatch.setattr(devices, "has_bfloat16", lambda _, has=has: has)
        monkeypatch.setattr(devices, "bfloat16_pays", lambda _, pays=pays: pays)
        assert devices.precision("auto", cpu, "float32") == torch.float32
        assert (devices.precision("auto", cpu, "bfloat16") == torch.bfloat16) is has
        assert (devices.precision("auto", cpu, None) == torch.bfloat16) is pays
        assert devices.precision("bfloat16", cpu, "float32") == torch.bfloat16


@pytest.mark.parametrize("fast", [True, False])
def test_bfloat16_is_the_kernels_own_where_they_have_it(fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, here = torch.device("cpu"), library.found()
    monkeypatch.setattr(library, "found", lambda: library.Found(here.library, here.reason, fast))
    ones = torch.ones(2, 2)
    with devices.arithmetic(torch.bfloat16, cpu):
        assert ((ones @ ones).dtype == torch.float32) is fast  # all but convolutions
    with devices.arithmetic(torch.bfloat16, cpu, compiled=True):
        assert (ones @ ones).dtype == torch.bfloat16
    with devices.arithmetic(torch.float32, cpu):
        assert (ones @ ones).dtype == torch.float32


def test_an_avx2_processor_trains_in_float32() -> None:
    if torch.backends.cpu.get_cpu_capability() in ("AVX2", "DEFAULT", "NO AVX"):
        assert not devices.bfloat16_pays(torch.device("cpu"))


def test_command_prints_json_alone() -> None:
    done = subprocess.run([sys.executable, "-m", "ddpm.devices"], capture_output=True, text=True, check=True)
    printed = json.loads(done.stdout)
    assert [device["name"] for device in printed] == devices.names()
    assert set(printed[-1]) == {"name", "title", "memory_total", "memory_free", "kernels"}
