"""How a run's process is started."""

import ctypes
import platform
import subprocess
import sys

import pytest

from runs import interpreter

WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "3000"}


def settings(made: dict[str, str], *begin: str) -> dict[str, str]:
    return {name: value for name, value in made.items() if name.startswith(begin)}


def test_waiting_threads_soon_sleep_unless_told_otherwise() -> None:
    assert settings(interpreter.environment({}), "OMP", "GOMP") == WAITING
    for told in ({"OMP_WAIT_POLICY": "ACTIVE"}, {"GOMP_SPINCOUNT": "7"}):
        assert settings(interpreter.environment(told), "OMP", "GOMP") == told


def test_memory_is_kept_for_the_next_step_unless_told_otherwise() -> None:
    assert len(settings(interpreter.environment({}), "MALLOC")) == 2
    told = {"MALLOC_TRIM_THRESHOLD_": "1000000"}
    assert settings(interpreter.environment(told), "MALLOC", "OMP") == told | {"OMP_WAIT_POLICY": "PASSIVE"}


# Bytes that the C library has asked the system for piece by piece in a step, and those that it holds ready
# after. It tells them itself: not every system counts the pages that a process touches.
HELD = """
import ctypes, torch
fields = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
class Heap(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in fields.split()]
tell = ctypes.CDLL(None).mallinfo2
tell.restype = Heap
def step():
    parts = [torch.ones(6 * 2**20 // 4) for _ in range(20)]
    return tell().hblkhd
mapped = max(step() for _ in range(4))
print(mapped, tell().fordblks)
"""


def has_the_count() -> bool:
    return platform.libc_ver()[0] == "glibc" and hasattr(ctypes.CDLL(None), "mallinfo2")


@pytest.mark.skipif(not has_the_count(), reason="GNU's C library from 2.33 on reads and tells it")
def test_a_step_that_is_like_the_one_before_asks_the_system_for_no_memory() -> None:
    def held(environment: dict[str, str]) -> list[int]:
        done = subprocess.run(
            [sys.executable, "-c", HELD], env=environment, capture_output=True, text=True, check=True
        )
        return [int(part) for part in done.stdout.split()]

    step = 120 * 2**20
    without = {k: v for k, v in interpreter.environment().items() if not k.startswith("MALLOC")}
    mapped, ready = held(without | {"MALLOC_MMAP_THRESHOLD_": str(2**17)})  # what it is before it adapts
    assert mapped >= step > ready
    mapped, ready = held(interpreter.environment(without))
    assert mapped < step < ready
