"""How a run's process is started."""

import platform
import subprocess
import sys
from pathlib import Path

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


FAULTS = """
import resource, torch
def step():
    parts = [torch.ones(6 * 2**20 // 4) for _ in range(20)]
[step() for _ in range(4)]
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


HUGE = Path("/sys/kernel/mm/transparent_hugepage/enabled")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="GNU's C library reads the environment so")
@pytest.mark.skipif(HUGE.exists() and "[always]" in HUGE.read_text(), reason="a fault is of 2 MiB")
def test_a_step_that_is_like_the_one_before_asks_the_system_for_no_memory() -> None:
    def faults(environment: dict[str, str]) -> int:
        done = subprocess.run(
            [sys.executable, "-c", FAULTS], env=environment, capture_output=True, text=True, check=True
        )
        return int(done.stdout)

    without = {k: v for k, v in interpreter.environment().items() if not k.startswith("MALLOC")}
    given_back = faults(without)
    assert given_back > 10_000  # 120 MiB in pages of 4 KiB: 30,720
    assert faults(interpreter.environment(without)) < given_back / 10
