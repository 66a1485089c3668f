"""Values of a run as they stand in tables and lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runs.humanize import UNKNOWN

if TYPE_CHECKING:
    from runs.rows import RunRow


def progress(row: RunRow) -> str:
    """ "1200/20000", "20000" once all is done, "reference 38%" before an evaluation draws, "after #7"."""
    if row.waits_for is not None:
        return f"after #{row.waits_for}"
    if row.preparing is not None:
        return f"reference {row.preparing:.0%}"
    if row.step is None:
        return UNKNOWN
    return (
        f"{row.step}/{row.total_steps}" if row.total_steps and row.step != row.total_steps else str(row.step)
    )


def number(value: float | None) -> str:
    """A loss: four digits that matter."""
    return UNKNOWN if value is None else f"{value:.4g}"
