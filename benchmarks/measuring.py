"""What the scripts share: medians, and a table in which every time stands beside a reference.

A reference measured in the same run (starting Python, a bare query) tells a slow machine from slow code.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable


def milliseconds(work: Callable[[], object], times: int = 7) -> float:
    """The median wall time of a piece of work."""
    found = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        found.append(1000 * (time.perf_counter() - begin))
    return statistics.median(found)


def python(*arguments: str) -> Callable[[], object]:
    """A start of this Python with some arguments; its failure is ours."""
    command = [sys.executable, *arguments]
    return lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


class Table:
    """Lines of (what, milliseconds, how many times the reference), printed as they come."""

    def __init__(self, title: str, reference: str, milliseconds: float) -> None:
        self.reference = milliseconds
        print(f"\n{title}\n{'':44}{'ms':>10}{'x reference':>14}   limit")
        self.add(f"reference: {reference}", milliseconds)

    def add(self, what: str, milliseconds: float, limit: float | None = None) -> None:
        ratio = milliseconds / self.reference
        verdict = "" if limit is None else f"   {limit:g} {'ok' if milliseconds <= limit else 'MISSED'}"
        print(f"{what:44}{milliseconds:10.1f}{ratio:14.1f}{verdict}", flush=True)
