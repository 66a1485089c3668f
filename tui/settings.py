"""What the app remembers between two sessions: `ui.json` in the home, rewritten atomically."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

#: Columns of the runs table that are hidden until someone asks for them.
HIDDEN = ("kind", "device", "images_seen", "tags", "created_at", "id")

_writing = threading.Lock()


@dataclass(frozen=True, slots=True)
class Settings:
    theme: str = "dark"
    hidden: tuple[str, ...] = HIDDEN
    sort: str = "id"
    descending: bool = True
    smoothing: float = 0.9
    log_scale: bool = False
    fid_log_scale: bool = True  #: from hundreds down to the floor: a line would show only the beginning


def load(home: Path) -> Settings:
    """The settings in a home; what is missing or of the wrong kind there is as at first."""
    try:
        stored = json.loads((home / "ui.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Settings()
    if not isinstance(stored, dict):
        return Settings()
    first = Settings()
    known: dict[str, Any] = {}
    for field in fields(Settings):
        value, usual = stored.get(field.name), getattr(first, field.name)
        if isinstance(usual, tuple) and isinstance(value, list):
            known[field.name] = tuple(str(v) for v in value)
        elif type(value) is type(usual):
            known[field.name] = value
    return Settings(**known)


def save(home: Path, settings: Settings) -> None:
    """Writes the settings; a reader finds the old or the new ones, never a part. OSError if it cannot."""
    with _writing:
        temporary = home / f".ui.json.{os.getpid()}"
        temporary.write_text(json.dumps(asdict(settings), indent=2) + "\n", encoding="utf-8")
        temporary.replace(home / "ui.json")
