"""How a person names a run and one of its checkpoints: `7`, `mnist-cosine`, `last`, `mnist@2000`."""

from __future__ import annotations

import re

from runs.errors import BadValueError


def split(text: str) -> tuple[str, int | None]:
    """(run, step) of "RUN" or "RUN@STEP" (no name has an "@"). BadValueError for another STEP."""
    name, at, step = text.partition("@")
    if not at:
        return text, None
    if not name or not re.fullmatch(r"[0-9]+(_[0-9]+)*", step):
        raise BadValueError(f"{text!r} names no checkpoint; write RUN@STEP, as in mnist-1@2000")
    return name, int(step)
