"""Reading what others wrote: the files of run directories are data to check, never to trust.

Values of the wrong type, numbers that are not finite or do not fit, texts without end and paths that lead
out of the run directory all come out of here as None.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

#: Bytes that run.json, config.toml or exit.json may have.
FILE_LIMIT = 1_000_000

#: Characters that are kept of a text of one line.
TEXT_LIMIT = 2_000


_decode = json.JSONDecoder().raw_decode  # half of `json.loads` is spent before and after it
_TOO_LARGE = 2**63
_YEAR_9999 = 253_370_764_800.0


class UnreadableError(Exception):
    """A file is not what it should be; the message says why."""


def stamp(path: Path) -> str | None:
    """Changes whenever the file is written or replaced; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return f"{found.st_mtime_ns}:{found.st_size}:{found.st_ino}"


def read_small(path: Path) -> bytes:
    """A small file's content. UnreadableError for a big one, OSError where it cannot be read."""
    with path.open("rb") as file:
        content = file.read(FILE_LIMIT + 1)
    if len(content) > FILE_LIMIT:
        raise UnreadableError(f"{path.name} is larger than {FILE_LIMIT:,} bytes")
    return content


def read_object(path: Path) -> dict[str, Any]:
    """A small file with one JSON object."""
    found = parse(read_small(path))
    if not isinstance(found, dict):
        raise UnreadableError(f"{path.name} is not a JSON object")
    return found


def parse(text: bytes) -> Any:
    """A JSON value; None (also what "null" means) where it is none."""
    try:
        found = text.decode().strip()
        value, end = _decode(found)
    except (ValueError, RecursionError):
        return None
    return value if end == len(found) else None


def as_text(value: Any, limit: int = TEXT_LIMIT) -> str | None:
    """A text that can be stored as UTF-8."""
    if not isinstance(value, str):
        return None
    return value[:limit].encode("utf-8", "replace").decode()


def as_texts(value: Any, limit: int = 1_000) -> list[str]:
    """The texts of a list, at most `limit`."""
    if not isinstance(value, list):
        return []
    return [text for item in value[:limit] if (text := as_text(item)) is not None]


def as_whole(value: Any) -> int | None:
    """A whole number from 0 up to what SQLite holds."""
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value < _TOO_LARGE else None  # True is no number


def as_number(value: Any) -> float | None:
    """A finite number."""
    if type(value) is int and -_TOO_LARGE < value < _TOO_LARGE:
        return float(value)
    return value if type(value) is float and math.isfinite(value) else None


def as_seconds(value: Any) -> float | None:
    """Seconds since 1970 of an ISO 8601 time; without a zone it is taken as UTC."""
    if not isinstance(value, str) or not 10 <= len(value) <= 40:
        return None
    try:
        time = datetime.fromisoformat(value)
        seconds = (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds < _YEAR_9999 else None


def as_time(value: Any) -> str | None:
    """A time as the catalogue writes all of them, so that they sort as text."""
    seconds = as_seconds(value)
    return None if seconds is None else iso(seconds)


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def as_inner_path(value: Any) -> str | None:
    """A relative path that stays inside the run directory."""
    path = as_text(value)
    if not path or path != value or "\0" in path or path.startswith(("/", "~")):
        return None
    return None if ".." in re.split(r"[/\\]", path) else path


def as_plain(value: Any, depth: int = 12) -> Any:
    """A value of dicts, lists, texts and numbers as JSON has them; what is nested deeper is None."""
    if isinstance(value, dict | list) and depth == 0:
        return None
    if isinstance(value, dict):
        return {str(key): as_plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [as_plain(item, depth - 1) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def dump(value: Any) -> str:
    """JSON that SQLite can hold: texts of others may have halves of surrogate pairs."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace").decode()


def load(text: str) -> Any:
    return json.loads(text)


def share(found: os.stat_result) -> int:
    """Bytes of a file; one with several names (hard links) counts for each in equal parts, so that sums are
    what the disk holds."""
    return found.st_size // max(1, found.st_nlink)


def disk_usage(path: Path, limit: int = 20_000) -> int | None:
    """Bytes of all files below a directory; None for more than `limit` entries or one not readable."""
    total, folders = 0, [os.fspath(path)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    limit -= 1
                    if limit < 0:
                        return None
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        total += share(entry.stat(follow_symlinks=False))
        except OSError:
            return None
    return total


def casefolded(parts: Iterable[str | None]) -> str:
    """What the filter looks in: each part on a line of its own."""
    return "\n".join(part for part in parts if part).casefold()
