"""Names of the classes whose images are the rows of a grid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ddpm.classes import name


def rows(config: Mapping[str, Any], count: int | None) -> tuple[str, ...]:
    """Of a grid of the first `count` images that a configuration (nested, plain) draws: the names of its
    rows; none where no class is told. As `ddpm.grids.by_class` arranges them."""
    classes = _section(config, "model").get("classes")
    if not isinstance(classes, int) or classes < 1 or not count or count < 1:
        return ()
    told = _section(config, "sampling").get("labels")
    wanted = [label for label in told if isinstance(label, int)] if isinstance(told, list | tuple) else []
    wanted = wanted or list(range(min(classes, count)))
    found = dict.fromkeys(wanted[:count])
    return tuple(name(_section(config, "data").get("dataset"), label) for label in found)


def _section(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = config.get(key)
    return found if isinstance(found, Mapping) else {}
