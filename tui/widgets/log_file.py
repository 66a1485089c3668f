"""A log file of any size, read from its end: line offsets, single lines, search. No Textual here.

The index is made backwards in blocks, so that the last lines are known at once and the first ones a little
later. A line is named by its place: from 0 on for those that came after the file was opened, -1, -2, … for
those before, counted from the end; so a line keeps its place while the index grows at both ends. One thread
may extend the index (`grow`, `index_back`) while others read lines.
"""

from __future__ import annotations

import os
import threading
from array import array
from collections.abc import Callable
from pathlib import Path

from runs.text import printable

#: Longest part of a line that is read and shown, in bytes.
MAX_LINE = 4096

_BLOCK = 1 << 20
_FIRST_BLOCK = 1 << 16
_CHUNK = 2000  #: lines searched at once


class LogFile:
    """The lines of a file that grows. Raises OSError as the file system does; a missing file is empty."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._forward = array("Q")  #: starts of the lines from place 0 on, ascending
        self._back = array("Q")  #: starts of the lines of places -1, -2, …, so descending
        self._known_from = 0  #: everything from this offset on is indexed
        self._known_to = 0  #: everything before this offset is indexed, from `_known_from`
        self._inode: int | None = None

    # -- the index ----------------------------------------------------------------------------------

    @property
    def complete(self) -> bool:
        """Whether the index reaches back to the first line."""
        return self._known_from == 0

    @property
    def first(self) -> int:
        """Place of the first line indexed."""
        return -len(self._back)

    @property
    def end(self) -> int:
        """Place after that of the last line indexed."""
        return len(self._forward)

    def grow(self) -> tuple[bool, bool]:
        """Look for new bytes at the end. (something changed, the file is another one or was cut: begin anew).

        The first call, and one after a cut, indexes one block at the end only.
        """
        try:
            status = self.path.stat()
        except FileNotFoundError:
            changed = self._known_to > 0
            self._restart(0, None)
            return changed, changed
        anew = status.st_ino != self._inode or status.st_size < self._known_to
        if anew:
            self._restart(status.st_size, status.st_ino)
            self._index_before(_FIRST_BLOCK)
            return True, True
        if status.st_size == self._known_to:
            return False, False
        self._index_after(status.st_size)
        return True, False

    def index_back(self, blocks: int = 1) -> int:
        """Index so many blocks more towards the start; the number of lines found there."""
        before = len(self._back)
        for _ in range(blocks):
            if self.complete:
                break
            self._index_before(_BLOCK)
        return len(self._back) - before

    def _restart(self, size: int, inode: int | None) -> None:
        with self._lock:
            self._forward, self._back = array("Q"), array("Q")
            self._known_from = self._known_to = size
            self._inode = inode

    def _index_before(self, block: int) -> None:
        """Line starts in the block before what is known. A start is 0, or an offset after a newline."""
        start = max(0, self._known_from - block)
        data = self._bytes(start, self._known_from)
        found = array("Q")
        at = data.rfind(b"\n", 0, len(data))
        while at >= 0:
            if start + at + 1 < self._known_to:  # a newline at the very end starts no line yet
                found.append(start + at + 1)
            at = data.rfind(b"\n", 0, at)
        if start == 0 and self._known_to > 0:
            found.append(0)
        with self._lock:
            self._back.extend(found)
            self._known_from = start

    def _index_after(self, size: int) -> None:
        """Line starts among the bytes that were added."""
        # The newline that ended the file before now starts a line, if something follows.
        start = max(self._known_to - 1, 0)
        data = self._bytes(start, size)
        size = start + len(data)
        found = array("Q", [0] if self._known_to == 0 and data else [])
        at = data.find(b"\n")
        while at >= 0:
            if start + at + 1 < size:
                found.append(start + at + 1)
            at = data.find(b"\n", at + 1)
        with self._lock:
            self._forward.extend(found)
            self._known_to = size

    def _bytes(self, start: int, end: int) -> bytes:
        with self.path.open("rb") as file:
            return os.pread(file.fileno(), end - start, start)

    def _span(self, place: int) -> tuple[int, int]:
        """First and last offset of a line, its newline included."""
        with self._lock:
            start = self._start(place)
            return start, self._known_to if place + 1 >= len(self._forward) else self._start(place + 1)

    def _start(self, place: int) -> int:
        return self._back[-1 - place] if place < 0 else self._forward[place]

    # -- lines --------------------------------------------------------------------------------------

    def line(self, place: int) -> str:
        """The line of this place as it is shown; "" if it is gone or cannot be read."""
        try:
            return shown(*self._ends_of(*self._span(place)))
        except (IndexError, OSError):
            return ""

    def _ends_of(self, start: int, end: int) -> tuple[bytes, bool]:
        """The bytes to show of a line: its end where progress was drawn over it, else its start."""
        if end - start <= MAX_LINE:
            return self._bytes(start, end), False
        tail = self._bytes(end - MAX_LINE, end)
        if b"\r" in tail.rstrip(b"\r\n"):
            return tail, False
        return self._bytes(start, start + MAX_LINE), True

    def find(
        self, text: str, start: int, step: int, cancelled: Callable[[], bool] = lambda: False
    ) -> int | None:
        """Place of the first line from `start` on, going by `step` (1 or -1), in which `text` is shown.

        Case is ignored. Goes round at the ends, once. None when there is none, or when `cancelled`.
        """
        needle, first, total = text.casefold(), self.first, self.end - self.first
        if not needle:
            return None
        for done in range(0, total, _CHUNK):
            if cancelled():
                return None
            count = min(_CHUNK, total - done)
            places = [first + (start - first + step * (done + i)) % total for i in range(count)]
            if not self._may_hold(needle, min(places), max(places)):
                continue
            for place in places:
                if needle in self.line(place).casefold():
                    return place
        return None

    def _may_hold(self, needle: str, first: int, last: int) -> bool:
        """Whether the bytes of these lines hold the text at all: far faster than line by line."""
        try:
            start, end = self._span(first)[0], self._span(last)[1]
            if not needle.isascii() or last - first >= _CHUNK or end - start > 8 * _BLOCK:
                return True
            return needle.encode() in self._bytes(start, end).lower()
        except (IndexError, OSError):
            return True


def shown(line: bytes, cut: bool = False) -> str:
    """A line as it is shown: the last state of a progress line, nothing that acts, "…" where it was cut."""
    text = line.rstrip(b"\r\n")
    text = text[text.rfind(b"\r") + 1 :]
    return printable(text.decode("utf-8", errors="replace").expandtabs(8)) + ("…" if cut else "")
