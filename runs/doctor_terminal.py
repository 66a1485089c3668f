"""The part of `doctor` that looks at the terminal: colours, images, size, characters, tmux."""

from __future__ import annotations

import locale
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping

from runs.doctor import Row

LEAST_SIZE = (80, 24)
ESCAPE_TIME = 50  #: milliseconds; beyond it the Escape key feels slow


def rows() -> Iterator[Row]:
    """What the terminal offers."""
    yield Row("TERM", os.environ.get("TERM") or "not set")
    yield colours(os.environ)
    yield Row("images", "half cells: two pixels a character, works everywhere that colours do")
    size = shutil.get_terminal_size((0, 0))
    fits = size.columns >= LEAST_SIZE[0] and size.lines >= LEAST_SIZE[1]
    if size.columns:
        advice = (
            None if fits else "the app wants {} x {} at least: make the window larger".format(*LEAST_SIZE)
        )
        yield Row("size", f"{size.columns} x {size.lines}", fits, advice)
    encoding = locale.getpreferredencoding(False)
    good = encoding.upper().replace("-", "") == "UTF8"
    yield Row("characters", encoding, good, None if good else "charts need UTF-8: export LC_ALL=C.UTF-8")
    if os.environ.get("TMUX"):
        yield from tmux()
    else:
        yield Row("tmux", "not inside tmux")
    if os.environ.get("SSH_CONNECTION"):
        yield Row(
            "SSH", "yes; if a dropped connection leaves odd characters when the mouse moves, type: reset"
        )


def colours(environment: Mapping[str, str]) -> Row:
    """How many colours the terminal says it has."""
    term = environment.get("TERM", "")
    if environment.get("NO_COLOR"):
        return Row("colours", "none: NO_COLOR is set", None, "unset NO_COLOR to see images")
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return Row("colours", "16.7 million", True)
    advice = "if yours can show them all: export COLORTERM=truecolor (ssh does not pass it on by itself)"
    if "256" in term:
        return Row("colours", "256: images look coarse", None, advice)
    if term in ("", "dumb"):
        return Row("colours", "none: not a terminal, or a dumb one", None)
    return Row("colours", "16: images look wrong", False, advice)


def tmux() -> Iterator[Row]:
    """Of tmux, the settings that matter to the app."""
    version = _tmux("-V")
    if version is None:
        yield Row("tmux", "inside tmux, but its command does not answer")
        return
    yield Row("tmux", version.removeprefix("tmux "))
    features = _tmux("display-message", "-p", "#{client_termfeatures}")
    if features is not None:
        full = "RGB" in features.split(",")
        advice = 'in ~/.tmux.conf: set -as terminal-features ",*:RGB"   and attach again'
        yield Row("tmux colours", "16.7 million" if full else "at most 256", full, None if full else advice)
    clipboard = _tmux("show-options", "-sv", "set-clipboard")
    if clipboard is not None:
        passes = clipboard == "on"
        advice = "to copy from the app, in ~/.tmux.conf: set -s set-clipboard on"
        yield Row("tmux clipboard", clipboard, passes or None, None if passes else advice)
    delay = _tmux("show-options", "-sv", "escape-time")
    if delay is not None and delay.isdecimal() and int(delay) > ESCAPE_TIME:
        yield Row("tmux escape-time", f"{delay} ms", None, "for a quick Escape key: set -s escape-time 10")


def _tmux(*arguments: str) -> str | None:
    """What a tmux command prints, None if it fails."""
    try:
        done = subprocess.run(["tmux", *arguments], capture_output=True, text=True, timeout=2, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
