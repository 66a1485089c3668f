"""How torch's threads on a processor wait for each other: read by OpenMP when torch is loaded."""

from __future__ import annotations

from collections.abc import MutableMapping

#: Some microseconds awake, enough for the next operator of a step; then asleep. Threads that spin for longer
#: starve each other as soon as anything else wants a core, those that sleep at once lose speed on idle ones
#: (benchmarks/bench_threads.py). The second is GNU's runtime's, which torch brings.
_WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "3000"}


def wait_briefly(environment: MutableMapping[str, str]) -> None:
    """Has threads wait so in programs started with that environment, unless it says how they are to wait."""
    if not any(name in environment for name in _WAITING):
        environment.update(_WAITING)
