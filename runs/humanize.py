"""Numbers as people read them. Unknown (None, or not finite) is "–"."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

UNKNOWN = "–"


def duration(seconds: float | None) -> str:
    """ "45 s", "3 min 20 s", "2 h 05 m", "3 d 04 h"."""
    if seconds is None or not math.isfinite(seconds):
        return UNKNOWN
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(whole / 60)
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} m"
    hours = round(whole / 3600)
    return f"{hours // 24} d {hours % 24:02d} h"


def age(iso: str | None, now: datetime | None = None) -> str:
    """How long ago an ISO 8601 time was: "12 s", "4 m", "2 h", "3 d", "2 y"."""
    if iso is None:
        return UNKNOWN
    try:
        then = datetime.fromisoformat(iso)
    except ValueError:
        return UNKNOWN
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    seconds = max(0, int(((now or datetime.now(UTC)) - then).total_seconds()))
    for size, unit in ((365 * 86400, "y"), (86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def count(number: float | None) -> str:
    """Three digits that matter: "999", "12.4k", "102M"."""
    return _scaled(number, ("", "k", "M", "G", "T"))


def guidance(sampling: Mapping[str, Any]) -> str:
    """Of a protocol's sampling: the weight; by which earlier step, if by one, and whether towards the
    class too; and the part of the timesteps that it is for where not all are."""
    told, step = sampling.get("guidance"), sampling.get("guidance_step")
    if told is None:
        return "no guidance"
    by = "" if step is None else f" by step {step:,}" if type(step) is int else f" by step {step}"
    if sampling.get("guidance_class"):
        by += " and class"
    if not (
        isinstance(told, list) and len(told) == 3 and all(isinstance(part, int | float) for part in told)
    ):
        return f"guidance {told}{by}"
    weight, start, end = told
    return f"guidance {weight:g}{by}" + ("" if (start, end) == (0, 1) else f" from {start:g} to {end:g}")


def evaluations(sampling: Mapping[str, Any]) -> str:
    """Of a protocol's sampling: how often the network was asked about an image; "" where once a step.

    At most, where guidance is for a part of the timesteps.
    """
    from ddpm.config_sampling import network_evaluations  # the models behind it are slow to load

    steps, told = sampling.get("steps"), sampling.get("guidance")
    if type(steps) is not int:
        return ""
    asked = network_evaluations(str(sampling.get("sampler")), steps, guided=told is not None)
    if asked == steps:
        return ""
    in_part = isinstance(told, list) and told[1:] != [0, 1]
    return f"{'at most ' if in_part else ''}{asked} evaluations"


def distance(value: float | None) -> str:
    """A Fréchet distance with the digits that papers give: "12.34", "0.0123", "241.3", "1,234", "123k"."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    size = abs(value)
    if size >= 99_999.5:
        return count(value)
    if size >= 100:
        return f"{value:.1f}" if size < 999.95 else f"{value:,.0f}"
    return f"{value:.2f}" if size >= 0.1 or size < 0.00005 else f"{value:.4f}"


def bytes_text(number: float | None) -> str:
    """ "512 B", "1.4 GB" (powers of 1000, as disks are sold), "140 MB"."""
    if number is None or not math.isfinite(number):
        return UNKNOWN
    size = float(number)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        digits = 1 if unit != "B" and size < 9.95 else 0
        if float(f"{size:.{digits}f}") < 1000 or unit == "TB":
            break
        size /= 1000
    return f"{size:.{digits}f} {unit}"


def rate(images_per_second: float | None) -> str:
    """ "0.53 img/s", "9.7 img/s", "97 img/s", "1.2k img/s"."""
    if images_per_second is None or not math.isfinite(images_per_second):
        return UNKNOWN
    if images_per_second < 1000:
        return f"{_two_digits(images_per_second)} img/s"
    return f"{count(float(f'{images_per_second:.2g}'))} img/s"


def a_run(kind: str) -> str:
    """ "a sample run", "an evaluate run"."""
    return f"{'an' if kind[:1] in tuple('aeiou') else 'a'} {kind} run"


def _two_digits(number: float) -> str:
    if number >= 9.95:
        return f"{number:.0f}"
    return f"{number:.1f}" if number >= 1 else f"{number:.2g}"


def _scaled(number: float | None, units: tuple[str, ...]) -> str:
    if number is None or not math.isfinite(number):
        return UNKNOWN
    size = float(f"{number:.3g}") if abs(number) >= 1000 else float(number)
    power = 0
    while abs(size) >= 1000 and power < len(units) - 1:
        size /= 1000
        power += 1
    return f"{size:.4g}{units[power]}" if size >= 1000 else f"{size:.3g}{units[power]}"
