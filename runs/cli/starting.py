"""What the verbs that start a run share: their options, warnings before a launch, launching, following."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runs.cli.parser import Parser, UsageError, device, near

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ddpm.config import Config
    from runs.directory import RunDirectory
    from runs.home import Home
    from runs.rows import RunDetail


def following_arguments(parser: Parser, json: str = "print the run as JSON, as `show --json` does") -> None:
    """Options about watching the run that was started."""
    parser.add_argument("--detach", action="store_true", help="start it and return at once")
    parser.add_argument(
        "--show", action="store_true", help="draw the samples at the end even if not on a terminal"
    )
    parser.add_argument("--json", action="store_true", help=json)


def naming_arguments(parser: Parser) -> None:
    """Options about the run that is made."""
    parser.add_argument("--name", help="its name; no other run may have it (default: one is made)")
    parser.add_argument("--tag", action="append", default=[], metavar="TAG", help="a tag; may be repeated")
    parser.add_argument("--note", metavar="TEXT", help="a note")
    parser.add_argument(
        "--device", type=device, default="auto", help="auto, cpu, cuda, cuda:1, mps (default: auto)"
    )


def after_argument(parser: Parser) -> None:
    """The option to begin later."""
    parser.add_argument("--after", metavar="RUN", help="begin once that run has ended, however it ends")


def awaited(home: Home, args: argparse.Namespace, own: RunDirectory | None = None) -> RunDirectory | None:
    """The run that --after names, none that waits for `own`; None where it has ended already."""
    from runs import queueing
    from runs.cli.opening import directory, open_catalogue
    from runs.cli.output import say
    from runs.status import running

    if args.after is None:
        return None
    with open_catalogue(home) as catalogue:
        found = directory(catalogue.find(args.after))
    if own is not None:
        queueing.check(own, found)
    if running(found.path):
        return found
    say(f"{found.name} (#{found.id}) has ended already; this begins at once")
    return None


def from_checkpoint(
    args: argparse.Namespace, keys: Iterable[str], *, companions: bool | None = None
) -> tuple[Home, RunDirectory, int | None, Config]:
    """Home, training, step (None: the newest) of RUN[@STEP], and the configuration with what was given.

    `keys` are those of the configuration that are options. Checks the device too.
    """
    from ddpm import configfiles
    from runs.cli.opening import directory, open_catalogue, open_home
    from runs.reference import split

    home = open_home(args)
    name, step = split(args.run)
    with open_catalogue(home) as catalogue:
        parent = directory(catalogue.find(name))
    given = [f"{key}={value}" for key in keys if (value := getattr(args, key)) is not None]
    given += [] if companions is None else [f"evaluation.companions={str(companions).lower()}"]
    config = configfiles.override(parent.config(), given)
    check_device(args.device)
    return home, parent, step, config


def check_naming(args: argparse.Namespace) -> None:
    """BadValueError for a name, tags or a note that no run could have: told before any work is done."""
    from runs import names

    if args.name is not None:
        names.check_name(args.name)
    names.check_tags(args.tag)
    names.check_notes(args.note or "")


def check_device(name: str) -> None:
    """UsageError for a device that this machine lacks. Asks only where the answer is not plain."""
    if name in ("auto", "cpu"):
        return
    from runs.preflight import devices

    present = [str(d["name"]) for d in devices()]
    if name not in present and not any(p.partition(":")[0] == name for p in present):
        raise UsageError(
            f"--device: {name!r} is not on this machine; "
            f"there are auto, {', '.join(present)}{near(name, present)}"
        )


def warn_before(
    home: Home,
    config: Config,
    device_name: str,
    *,
    trains: bool,
    features: int = 0,
    after: RunDirectory | None = None,
) -> None:
    """Say what may go wrong with the run, before it is made; see `runs.preflight.warnings`."""
    from runs import preflight
    from runs.cli.output import warn

    found = preflight.warnings(home, config, device_name, trains=trains, features=features, after=after)
    for line in found:
        warn(line)


def start(home: Home, make: Callable[[], RunDirectory], args: argparse.Namespace, program: str) -> int:
    """Start the run and follow it to its end, or return at once with --detach; the exit status.

    `make` makes it and starts it. Ctrl-C during that is a Ctrl-C to the run: none is left half made.
    """
    from runs.cli.following import Left, conclude, follow, left
    from runs.cli.interrupts import Interrupts
    from runs.cli.opening import open_catalogue
    from runs.cli.output import say
    from runs.errors import RunError
    from runs.names import check_notes
    from runs.status import running

    note = check_notes(getattr(args, "note", None) or "")
    with Interrupts() as interrupts, open_catalogue(home) as catalogue:
        run = make()
        try:
            if note:
                run.edit(notes=note)
            catalogue.sync()
            found = catalogue.at(run.path)
            if args.detach:
                return _detached(catalogue.detail(found.id), _begun(run), args.json)
            say(f"{found.name} {_begun(run)}: {found.path}")
            detail = follow(catalogue, found, interrupts, stoppable=run)
        except Left as error:
            return left(error)
        except (RunError, OSError) as error:  # the run is not to blame
            if isinstance(error, BrokenPipeError) or not running(run.path):
                raise
            say(f"{run.name} started and goes on ({run.path}), but cannot be watched: {error}")
            return 0 if args.detach else 1
    return conclude(detail, as_json=args.json, show=args.show, program=program)


def _begun(run: RunDirectory) -> str:
    from runs import queueing

    other = queueing.awaited(run)
    return "started" if other is None else f"queued, after {other.name} (#{other.id})"


def _detached(detail: RunDetail, begun: str, as_json: bool) -> int:
    from runs.cli.output import print_json, say
    from runs.cli.records import detail_record
    from runs.text import printable

    row = detail.row
    if as_json:
        print_json(detail_record(detail))
        return 0
    print(printable(f"{row.name} {begun}: {row.path}"))
    say(f"To watch it: ddpm-tui wait {row.id}   to stop it: ddpm-tui stop {row.id}")
    return 0
