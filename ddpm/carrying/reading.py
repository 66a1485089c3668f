"""Reading a folder that somebody else made: its files are data to check, never to trust.

Links are followed, as the caches of model hubs are made of them, but only to regular files: nothing here can
wait for a pipe or read a device. Messages name the file and what is wrong, never what stands in it.
"""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any, NoReturn

from ddpm.datafiles import shown
from ddpm.errors import EngineError

#: Bytes of a JSON or TOML file: a schedule of 100,000 steps, written out, has some two million.
TEXT_LIMIT = 4_000_000


class CarryError(EngineError):
    """What cannot be carried, and why, in one line."""


def size(path: Path) -> int | None:
    """Bytes of a regular file; None where there is none. CarryError for anything else by that name."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise CarryError(f"{shown(path)}: cannot be read: {_reason(error)}") from None
    if not stat.S_ISREG(found.st_mode):
        raise CarryError(f"{shown(path)}: not a file")
    return found.st_size


def first(folder: Path, *names: str) -> Path:
    """The first of these files that is there. CarryError with all of their names where none is."""
    for name in names:
        if size(folder / name) is not None:
            return folder / name
    raise CarryError(f"{shown(folder)}: {' or '.join(names)} is missing")


def text(path: Path) -> str:
    """A small UTF-8 file. CarryError for a missing one, a large one, another encoding."""
    length = size(path)
    if length is None:
        raise CarryError(f"{shown(path)}: no such file")
    if length > TEXT_LIMIT:
        raise CarryError(f"{shown(path)}: larger than {TEXT_LIMIT:,} bytes")
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CarryError(f"{shown(path)}: cannot be read: {_reason(error)}") from None


def json_object(path: Path) -> dict[str, Any]:
    """The JSON object in a small file; NaN and infinity, which are no JSON, are refused."""
    try:
        found = json.loads(text(path), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        if isinstance(error, CarryError):
            raise
        what = f"{error}, which no JSON has" if isinstance(error, _NoNumber) else "not JSON"
        raise CarryError(f"{shown(path)}: {what}") from None
    if not isinstance(found, dict):
        raise CarryError(f"{shown(path)}: not a JSON object")
    return found


def told(value: Any) -> str:
    """A value of somebody's file in a message: short, and on one line."""
    numbers = isinstance(value, list) and len(value) <= 8 and all(type(v) in (int, float) for v in value)
    if numbers or not isinstance(value, dict | list):
        return json.dumps(value)[:60]
    return f"a list of {len(value)}" if isinstance(value, list) else "an object"


class _NoNumber(ValueError):
    """Infinity or NaN, by its name there."""


def _no_number(name: str) -> NoReturn:
    raise _NoNumber(name)


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else "not UTF-8 text"
