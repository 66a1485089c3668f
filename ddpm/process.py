"""How a process that computes waits and keeps its memory: it reads that from its environment as it begins."""

from __future__ import annotations

import os
from collections.abc import MutableMapping


def _largest_kept() -> int:
    """Bytes: GNU's C library before 2.35 refuses more than 32 MiB, without a word."""
    try:
        version = os.confstr("CS_GNU_LIBC_VERSION") or ""  # as "glibc 2.36"
        major, minor = map(int, version.split()[-1].split(".")[:2])
    except (AttributeError, ValueError, OSError, IndexError):  # another library, which reads none of it
        return 2**25
    return 2**30 if (major, minor) >= (2, 35) else 2**25


#: Threads on a processor, while they wait for each other: some microseconds awake, enough for the next
#: operator of a step; then asleep. Those that spin for longer starve each other as soon as anything else
#: wants a core, those that sleep at once lose speed on idle ones. The second is GNU's runtime's, torch's.
_WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "3000"}
#: Memory that one step has done with is kept for the next: given back, as it is unless told, the system fills
#: hundreds of MiB with zeros anew in every step. Larger tensors go back. GNU's C library reads it.
_KEEPING = {"MALLOC_MMAP_THRESHOLD_": str(_largest_kept()), "MALLOC_TRIM_THRESHOLD_": str(2**40)}


def settle(environment: MutableMapping[str, str]) -> bool:
    """Has programs started with that environment do so (benchmarks/bench_process.py).

    Each of the two only where it says nothing of it; whether anything was changed.
    """
    missing = [ways for ways in (_WAITING, _KEEPING) if not any(name in environment for name in ways)]
    for ways in missing:
        environment.update(ways)
    return bool(missing)
