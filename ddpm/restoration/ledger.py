"""What became of each input, a line of JSON each: what was done is not done again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAME = "restored.jsonl"


class Ledger:
    """The file `restored.jsonl` of a run. Lines have "image" (the input's number), "input", and either
    "output" with what was measured, or "error"."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: dict[int, dict[str, Any]] = {}
        whole = 0
        for line in path.read_bytes().splitlines(keepends=True) if path.exists() else ():
            if not line.endswith(b"\n"):
                break  # torn by a kill: that input is done again
            whole += len(line)
            found = _record(line)
            if found is not None:
                self._lines[found["image"]] = found
        if path.exists() and whole < path.stat().st_size:
            os.truncate(path, whole)

    def __contains__(self, image: int) -> bool:
        return image in self._lines

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._lines.values())

    def add(self, image: int, **values: Any) -> None:
        """Appends the line of an input, on disk when this returns as far as a killed process goes."""
        line = {"image": image, **values}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_text(line) + "\n")
        self._lines[image] = line

    @property
    def done(self) -> int:
        return sum("output" in line for line in self)

    @property
    def failed(self) -> int:
        return sum("error" in line for line in self)

    def mean(self, key: str) -> float | None:
        """Of what was measured under that name; None where nothing was."""
        values = [line[key] for line in self if isinstance(line.get(key), int | float)]
        return sum(values) / len(values) if values else None


def _text(line: dict[str, Any]) -> str:
    """As JSON; in ASCII where a file's name is no Unicode, and has bytes that UTF-8 cannot say."""
    text = json.dumps(line, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(line)


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    usable = isinstance(found, dict) and isinstance(found.get("image"), int)
    return found if usable else None
