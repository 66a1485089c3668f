"""The command in a terminal of its own: a pty, its keys and what it shows."""

import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from fcntl import ioctl
from pathlib import Path

from tests.runs.cli.command import argv, environment


class Terminal:
    """A command as the foreground job of a new terminal; what it prints is gathered in `shown`."""

    def __init__(self, home: Path, *arguments: str, **env: str) -> None:
        self._master, slave = pty.openpty()
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        env = {"TERM": "xterm-256color", "COLORTERM": "truecolor", **env}
        self.process = subprocess.Popen(
            argv(home, *arguments),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: ioctl(0, termios.TIOCSCTTY, 0),
            env=environment(**env),
        )
        os.close(slave)
        self.shown = ""

    def until(self, text: str, seconds: float = 60) -> None:
        """Read until `text` has been shown."""
        deadline = time.monotonic() + seconds
        while text not in self.shown:
            assert time.monotonic() < deadline, f"{text!r} did not come: {self.shown!r}"
            assert self._read(1) or text in self.shown, f"ended without {text!r}: {self.shown!r}"

    def interrupt(self) -> None:
        """Ctrl-C."""
        os.write(self._master, b"\x03")

    def hang_up(self) -> int:
        """Close the terminal, as a lost connection does; how the command ended."""
        os.close(self._master)
        return self.process.wait(30)

    def end(self, seconds: float = 60) -> int:
        """Read to the end; the exit status."""
        deadline = time.monotonic() + seconds
        while self._read(1):
            assert time.monotonic() < deadline, f"does not end: {self.shown!r}"
        status = self.process.wait(10)
        os.close(self._master)
        return status

    def kill(self) -> None:
        """End the command, if it still lives."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)

    def _read(self, seconds: float) -> bool:
        """Whether the terminal is still open; takes in what came within the time."""
        if not select.select([self._master], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self._master, 65536)
        except OSError:  # the other side is closed
            return False
        self.shown += data.decode("utf-8", "replace")
        return bool(data)
