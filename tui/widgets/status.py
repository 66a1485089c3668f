"""The state of a run: a mark, a word and a colour, so that no one of them is needed alone."""

from __future__ import annotations

from rich.style import Style
from rich.text import Text

#: status -> (mark, colour). Colours are exact entries of the 256-colour cube, the same in every terminal,
#: and readable on dark and on light ground.
STATUS_MARKS: dict[str, tuple[str, str]] = {
    "running": ("●", "#0087d7"),  # 32
    "finished": ("✓", "#00af5f"),  # 35
    "stopped": ("■", "#af8700"),  # 136
    "failed": ("✕", "#ff5f5f"),  # 203
    "lost": ("?", "#af87d7"),  # 140
    "queued": ("…", "#8a8a8a"),  # 245
}


def status_mark(status: str, *, word: bool = True) -> Text:
    """ "● running"; with `word=False` the mark alone. An unknown status is shown as it is."""
    mark, colour = STATUS_MARKS.get(status, ("·", "#8a8a8a"))
    return Text(f"{mark} {status}" if word else mark, style=Style(color=colour))
