"""Reading a growing log: its last lines first, from the end of the file, then what is added."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

BLOCK = 64 * 1024
MOST = 16 * 1024 * 1024  #: bytes looked at from the end; a log without line ends is cut there


def tail(path: Path, lines: int) -> list[str]:
    """The last `lines` lines, as text. An unfinished last line counts; a missing file has none.

    Of a line that a progress bar has drawn over (carriage returns) the last state is kept.
    """
    try:
        with path.open("rb") as file:
            return _last_lines(file, lines)[0]
    except FileNotFoundError:
        return []


def follow(path: Path, stop: Callable[[], bool], lines: int = 10, interval: float = 0.25) -> Iterator[str]:
    """The last `lines` lines, then every line added, until `stop()` is true and all is read.

    An unfinished last line is held back until it ends, or until the end. The file may not exist yet, and
    may be cut short meanwhile (it is then read from its start).
    """
    ending = stop()
    while not path.exists():
        if ending:
            return
        time.sleep(interval)
        ending = stop()
    with path.open("rb") as file:
        first, rest = _last_lines(file, lines, whole=True)
        yield from first
        while True:
            ending = stop()  # asked before reading: what was written before the end is still seen
            if os.fstat(file.fileno()).st_size < file.tell():
                file.seek(0)
                rest = b""
            whole, newline, rest = (rest + file.read()).rpartition(b"\n")
            if newline:
                yield from (line_text(line) for line in whole.split(b"\n"))
            if ending:
                break
            time.sleep(interval)
    if rest:
        yield line_text(rest)


def line_text(line: bytes) -> str:
    """One line as text: of states drawn over each other the last; bytes that are not UTF-8 replaced."""
    states = [state for state in line.rstrip(b"\r\n").split(b"\r") if state]
    return states[-1].decode("utf-8", "replace") if states else ""


def _last_lines(file: BinaryIO, lines: int, whole: bool = False) -> tuple[list[str], bytes]:
    """(last lines, unfinished rest); with `whole` the rest is no line. Leaves `file` at its end."""
    end = position = file.seek(0, os.SEEK_END)
    found = b""
    while position > max(0, end - MOST) and found.count(b"\n") <= lines:
        size = min(BLOCK, position)
        position = file.seek(position - size)
        found = file.read(size) + found
    file.seek(end)
    finished, newline, rest = found.rpartition(b"\n")
    parts = finished.split(b"\n") if newline else []
    if rest and not whole:
        parts.append(rest)
    return [line_text(part) for part in parts[max(0, len(parts) - lines) :]], rest
