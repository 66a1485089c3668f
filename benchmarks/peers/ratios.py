"""What comes of the turns: rates, and the ratios of each round, with their spread."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

#: What is better when it is larger (images per second, and per core-second), and what when it is smaller.
RATES = "training", "sampling", "training_core", "sampling_core"
COSTS = "start_up", "memory"


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Median, least and most, quartiles (linear in between) and how many there were."""
    if not values:
        raise ValueError("there is nothing to take a median of")
    quarters = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [values[0]] * 3
    return {
        "median": statistics.median(values),
        "least": min(values),
        "most": max(values),
        "quartiles": [quarters[0], quarters[2]],
        "rounds": len(values),
    }


def against(ours: Mapping[str, Sequence[float]], theirs: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """By measure: how many times as good ours is, round by round. A round that one of them lacks is left out.

    RATES are compared as ours / theirs, COSTS as theirs / ours.
    """
    found = {}
    for measure in (*RATES, *COSTS):
        pairs = list(zip(ours.get(measure, ()), theirs.get(measure, ()), strict=False))
        if pairs:
            found[measure] = spread([a / b if measure in RATES else b / a for a, b in pairs])
    return found


def best(engines: Mapping[str, Mapping[str, Sequence[float]]], measure: str) -> str | None:
    """Which of several does best in the median of a measure; None where none has been measured."""
    medians = {name: statistics.median(of[measure]) for name, of in engines.items() if of.get(measure)}
    if not medians:
        return None
    return (max if measure in RATES else min)(medians, key=lambda name: medians[name])
