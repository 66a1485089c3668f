"""The command `ddpm-tui`: finds the verb, hands over to its module, and turns what fails into one clear line.

A verb's module is imported only when the verb is called, so `--help` costs next to nothing. Exit status:
0 success, 1 the work failed, 2 bad usage, 130 interrupted.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import os
import sys
import threading
from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import NoReturn

from runs.cli.parser import INTERRUPTED, USAGE, Parser, fail, near

#: (heading, {verb: what it does}) in the order of the help.
GROUPS: tuple[tuple[str, dict[str, str]], ...] = (
    (
        "start",
        {
            "train": "train a model from a preset or a TOML file",
            "sample": "draw images with a run's checkpoint",
            "evaluate": "how near a checkpoint's images are to the data: FID and more",
            "likelihood": "bits per dimension that a checkpoint gives images of its data",
            "restore": "clean images from noised, masked, shrunk, blurred or grey ones",
            "serve": "draw and restore over HTTP with a run's checkpoint",
            "resume": "go on with a run from its last checkpoint",
        },
    ),
    (
        "watch",
        {
            "ls": "list the runs",
            "show": "all that is known of a run",
            "logs": "print, or follow, a run's log",
            "wait": "wait until a run has ended",
            "compare": "what differs between runs, and what came of it",
        },
    ),
    (
        "judge",
        {
            "fid": "FID and more between any two: folders of images, files, data sets",
            "leaderboard": "all evaluations, best first, by what they may be ranked with",
            "classifier": "train the small network that judges digits beside Inception",
        },
    ),
    (
        "carry",
        {
            "export": "write a checkpoint's weights for diffusers, torch or another home",
            "import": "make a run of a folder of weights: diffusers', or of `export`",
        },
    ),
    (
        "keep house",
        {
            "stop": "ask runs to checkpoint and end",
            "edit": "change a run's name, tags and note",
            "rm": "move runs to the trash, or empty it",
            "reindex": "rebuild the catalogue from the run directories",
        },
    ),
    (
        "know more",
        {
            "app": "open the app (also: no verb at all)",
            "presets": "the presets that come along",
            "doctor": "what this machine and terminal offer, and what is in the way",
        },
    ),
)
VERBS = {verb: summary for _, verbs in GROUPS for verb, summary in verbs.items()}
ALIASES = {"open": "app", "list": "ls", "log": "logs", "remove": "rm"}

EXAMPLES = """
ddpm-tui                                          open the app
ddpm-tui train mnist --name first                 train, and follow it
ddpm-tui train mnist --set training.steps=20000 --detach
ddpm-tui ls
ddpm-tui sample first -n 16 --out digits.png
ddpm-tui evaluate first
"""


def command() -> NoReturn:
    """The program `ddpm-tui`: `main`, and a quick end.

    To take the interpreter apart, object by object, takes 50 ms more of `ls` and 200 after `q` in the app.
    """
    _open_closed_streams()
    status = main()
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        sys.exit(status)  # which waits for them
    atexit._run_exitfuncs()
    with contextlib.suppress(OSError):  # `main` has told it
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def _open_closed_streams() -> None:
    """`>&-`: what is printed goes nowhere, rather than into a file that would be opened under its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit status. Bad usage leaves by SystemExit(2), as argparse does."""
    argv = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):  # a terminal of few characters shows "?" rather than failing
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        status = _dispatch(argv)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # a full disk, say
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.stderr.write(f"ddpm-tui: the output could not be written: {error.strerror}\n")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return status


def _dispatch(argv: list[str]) -> int:
    globals_, verb, rest = _split(argv)
    if verb == "help":  # `help`, `help train`
        verb, rest = (rest[0], ["--help"]) if rest and rest[0] != "help" else ("--help", [])
    verb = ALIASES.get(verb, verb)
    if verb in ("-h", "--help"):
        print(_help())
        return 0
    if verb == "--version":
        from importlib.metadata import version

        print(f"ddpm-tui {version('ddpm-tui')}")
        return 0
    if verb not in VERBS:
        what = "option" if verb.startswith("-") else "verb"
        known = ("--home", "--version", "--help") if verb.startswith("-") else (*VERBS, *ALIASES)
        fail("ddpm-tui", f"no {what} {verb!r}{near(verb, known)}")
    module = importlib.import_module(f"runs.cli.{verb}")
    parser = Parser(verb, (module.__doc__ or "").strip(), module.EXAMPLES)
    module.arguments(parser)
    args = parser.parse_intermixed_args([*globals_, *rest])
    args.command = ("ddpm-tui", *argv)
    return _guarded(parser.prog, module.run, args)


def _split(argv: list[str]) -> tuple[list[str], str, list[str]]:
    """(options before the verb, verb, what follows). No verb is the app's, options and all."""
    before: list[str] = []
    at = 0
    while at < len(argv) and (argv[at] == "--home" or argv[at].startswith("--home=")):
        size = 2 if argv[at] == "--home" else 1
        before += argv[at : at + size]
        at += size
    if at >= len(argv) or argv[at] == "--theme" or argv[at].startswith("--theme="):
        return before, "app", argv[at:]
    return before, argv[at], argv[at + 1 :]


def _guarded(program: str, run: Callable[[Namespace], int], args: Namespace) -> int:
    """The verb's exit status; what a person must know becomes one line on standard error."""
    from runs.cli.parser import UsageError

    try:
        return run(args)
    except UsageError as error:
        fail(program, str(error))
    except BrokenPipeError:
        raise
    except Exception as error:
        if not _meant_for_people(error):
            raise
        from runs.text import printable

        sys.stderr.write(f"{program}: {printable(_line(error), newlines=True)}\n")
        return USAGE if type(error).__name__ in ("ConfigError", "BadValueError") else 1


def _meant_for_people(error: Exception) -> bool:
    """Whether the message is all a person needs; anything else is our mistake and shows its traceback."""
    from ddpm.errors import EngineError
    from runs.errors import RunError

    told: tuple[type[Exception], ...] = (EngineError, RunError, OSError)
    configfiles = sys.modules.get("ddpm.configfiles")  # not imported only to ask
    if configfiles is not None:
        told += (configfiles.ConfigError,)
    return isinstance(error, told)


def _line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _help() -> str:
    lines = [
        "usage: ddpm-tui [--home DIR] [VERB …]",
        "",
        "Train, watch, compare and sample diffusion models in a terminal.",
        "Without a verb it opens the app. Runs go on when the terminal closes.",
    ]
    for heading, verbs in GROUPS:
        lines += ["", f"{heading}:"] + [f"  {verb:<13}{summary}" for verb, summary in verbs.items()]
    lines += [
        "",
        "options:",
        "  --home DIR  where runs live (default: DDPM_HOME, else your data folder)",
        "  --version   print the version",
        "  -h, --help  this page; each verb has its own: ddpm-tui VERB --help",
        "",
        "RUN is a run's number, its name, the beginning of its name, or `last`.",
        "",
        "examples:",
        *(f"  {line}" for line in EXAMPLES.strip().splitlines()),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    command()
