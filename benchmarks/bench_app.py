"""How soon the app shows itself, and how soon a key shows its effect, in a real pseudo-terminal.

    python -m benchmarks.bench_app                                  1,000 runs
    python -m benchmarks.bench_app --runs 10000 --direct 1000       10 million rows, put into the database

A key's time is from writing it to the terminal until the first bytes of its effect arrive. Of esc, 100 ms are
the wait of Textual's driver that tells it from the beginning of another key (none with the Kitty
keyboard protocol).
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import select
import statistics
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path

from benchmarks import history
from benchmarks.bench_catalogue import _fill
from benchmarks.measuring import Table, milliseconds, python
from runs.catalogue import Catalogue
from runs.home import Home

#: Keys to press in turn: (what, bytes, what must be among the answer's bytes or b"" for anything).
KEYS: tuple[tuple[str, bytes, bytes], ...] = (
    ("j, a row down", b"j", b""),
    ("page down", b"\x1b[6~", b""),
    ("end, the last of all rows", b"G", b""),
    ("home", b"g", b""),
    ("s, another order", b"s", b""),
    ("/, the filter opens", b"/", b"ords of"),
    ("a letter of the filter", b"m", b""),
    ("esc, the filter closes", b"\x1b", b""),
    ("space, a mark", b" ", b"\xe2\x97\x86"),
    ("?, the help", b"?", b"Keys"),
    ("esc, the help closes", b"\x1b", b""),
    ("enter, a run opens", b"\r", b"charts"),
    ("4, the log", b"4", b""),
    ("5, the configuration", b"5", b""),
    ("esc, back to the runs", b"\x1b", b"status"),
    ("n, a new run", b"n", b"preset, then"),
    ("esc, back to the runs", b"\x1b", b"status"),
)


class Terminal:
    """The app in a pseudo-terminal of its own."""

    def __init__(self, home: Path, size: tuple[int, int]) -> None:
        code = "from runs.cli.main import command; command()"
        self.begin = time.perf_counter()
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
            os.execv(sys.executable, [sys.executable, "-c", code, "--home", str(home)])
        columns, lines = size
        fcntl.ioctl(self.file, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read_until(self, wanted: bytes, seconds: float = 20.0) -> float:
        """Milliseconds (since the terminal was opened) when the bytes had arrived. TimeoutError if never."""
        found, end = b"", time.perf_counter() + seconds
        while time.perf_counter() < end:
            if select.select([self.file], [], [], 0.05)[0]:
                found += os.read(self.file, 1 << 16)
                if wanted in found:
                    return 1000 * (time.perf_counter() - self.begin)
        raise TimeoutError(f"{wanted!r} never came")

    def quiet(self, seconds: float = 0.25) -> None:
        """Reads until nothing has come for a while (the meters speak every 1.5 s)."""
        while select.select([self.file], [], [], seconds)[0]:
            os.read(self.file, 1 << 16)

    def press(self, key: bytes, wanted: bytes) -> float:
        """Milliseconds from the key to its effect."""
        self.quiet()
        before = 1000 * (time.perf_counter() - self.begin)
        os.write(self.file, key)
        return self.read_until(wanted) - before

    def close(self) -> float:
        """Milliseconds from q until the process is gone."""
        self.quiet()
        begin = time.perf_counter()
        os.write(self.file, b"q")
        while os.waitpid(self.pid, os.WNOHANG) == (0, 0):
            if select.select([self.file], [], [], 0.002)[0]:
                try:
                    os.read(self.file, 1 << 16)
                except OSError:  # its end of the terminal is closed
                    break
        else:
            return 1000 * (time.perf_counter() - begin)
        os.waitpid(self.pid, 0)
        return 1000 * (time.perf_counter() - begin)


def measure(home: Home, times: int, size: tuple[int, int], title: str) -> None:
    """Prints the table of one home."""
    frames, rows, leaves = [], [], []
    keys: dict[str, list[float]] = {what: [] for what, _, _ in KEYS}
    for _ in range(times):
        terminal = Terminal(home.path, size)
        frames.append(terminal.read_until(b"status"))
        rows.append(terminal.read_until(b"runs"))
        terminal.quiet(0.6)
        for what, key, wanted in KEYS:
            keys[what].append(terminal.press(key, wanted))
        leaves.append(terminal.close())
    bare = milliseconds(python("-c", "import textual.app, textual.widgets"), 5)
    table = Table(f"{title}, {size[0]}×{size[1]}", "python -c 'import textual.app'", bare)
    table.add("first frame painted", statistics.median(frames), 500)
    table.add("first rows painted", statistics.median(rows))
    for what, found in keys.items():
        table.add(what, statistics.median(found), 170 if what.startswith("esc") else 70)
    table.add("q, until the process is gone", statistics.median(leaves))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--direct", type=int, default=0, help="rows per run put into the database")
    parser.add_argument("--times", type=int, default=7)
    parser.add_argument("--home", type=Path, help="use this home as it is")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ddpm-bench-") as folder:
        home = Home(chosen.home or Path(folder))
        if chosen.home is None:
            history.write(home, chosen.runs, 8 if chosen.direct else 200)
            with Catalogue(home) as catalogue:
                catalogue.sync()
            _fill(home, chosen.direct)
        with Catalogue(home) as catalogue:
            title = f"{catalogue.count():,} runs"
        for size in ((80, 24), (160, 48)):
            measure(home, chosen.times, size, title)


if __name__ == "__main__":
    main()
