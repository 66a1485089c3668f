"""The parser of a verb: argparse with one clear line for what is wrong, near misses named, exit status 2."""

from __future__ import annotations

import argparse
import difflib
import re
import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

USAGE = 2  #: exit status of bad usage
INTERRUPTED = 130  #: exit status after Ctrl-C, as shells have it


class UsageError(Exception):
    """The command was called wrongly: one clear line, exit status 2."""


class Parser(argparse.ArgumentParser):
    """The parser of one verb, with the options that every verb has."""

    def __init__(self, verb: str, description: str, examples: str) -> None:
        super().__init__(
            prog=f"ddpm-tui {verb}",
            description=description,
            epilog=f"examples:\n{_indented(examples)}" if examples else None,
            formatter_class=_Formatter,
            allow_abbrev=False,
        )
        self.add_argument(
            "--home", metavar="DIR", help="where runs live (default: DDPM_HOME, else your data folder)"
        )

    def error(self, message: str) -> NoReturn:
        fail(self.prog, self._clear(message))

    def _clear(self, message: str) -> str:
        """argparse's message with the near miss that is meant."""
        unknown = re.fullmatch(r"unrecognized arguments: (\S+).*", message, re.DOTALL)
        if unknown:
            given = unknown[1]
            if given.startswith("-"):
                options = [o for o in self._option_string_actions if o.startswith("--")]
                return f"no option {given!r}{near(given.partition('=')[0], options)}"
            return f"{given!r} is one argument too many"
        return message.removeprefix("argument ").replace("the following arguments are required", "missing")


class _Formatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26, width=min(100, shutil.get_terminal_size().columns))


def fail(program: str, message: str) -> NoReturn:
    """Say what is wrong with the call and how it is meant, and leave with status 2."""
    from runs.text import printable

    sys.stderr.write(f"{program}: {printable(message, newlines=True)}\n")
    sys.stderr.write(f"Try: {program} --help\n")
    raise SystemExit(USAGE)


def near(given: str, known: Iterable[str]) -> str:
    """ "; did you mean …?" when something known is near, else ""."""
    found = difflib.get_close_matches(given, list(known), 1, 0.6)
    return f"; did you mean {found[0]}?" if found else ""


def choice(*allowed: str) -> Callable[[str], str]:
    """A type for argparse: one of a few words."""

    def parse(text: str) -> str:
        if text not in allowed:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not one of {', '.join(allowed)}{near(text, allowed)}"
            )
        return text

    return parse


def whole(least: int = 0) -> Callable[[str], int]:
    """A type for argparse: a whole number, at least `least`."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]+(_[0-9]+)*", text) or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, at least {least}")
        return int(text)

    return parse


def seconds(text: str) -> float:
    """A type for argparse: seconds, or 90s, 10m, 2h."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([smh]?)", text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time; write 90, 90s, 10m or 2h")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


def device(text: str) -> str:
    """A type for argparse: a device's name in form. Whether it is present is seen before a launch."""
    from runs.checks import check_device
    from runs.errors import BadValueError

    try:
        return check_device(text)
    except BadValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def output_path(text: str) -> Path:
    """A type for argparse: where something is written, made absolute."""
    from runs.errors import BadValueError
    from runs.home import absolute

    try:
        return absolute(text)
    except BadValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.strip().splitlines())
