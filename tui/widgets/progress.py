"""A progress bar in one line of text, in eighths of a character."""

from __future__ import annotations

import math

_EIGHTHS = " ▏▎▍▌▋▊▉"


def bar(fraction: float | None, width: int) -> str:
    """`width` characters, filled from the left by `fraction` (0 … 1, else clipped; None and NaN: empty).

    Work that has begun shows at least an eighth; only what is done is full.
    """
    if width <= 0 or fraction is None or math.isnan(fraction):
        return " " * max(width, 0)
    eighths = int(min(max(fraction, 0.0), 1.0) * width * 8)
    if 0 < fraction < 1:
        eighths = min(max(eighths, 1), width * 8 - 1)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)
