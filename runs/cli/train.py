"""Train a model from a preset or a TOML file, and follow it.

The training is a process of its own: it goes on when the terminal closes.
The first Ctrl-C asks it to write a checkpoint and stop, a second only stops
watching. See `ddpm-tui presets` for what to start from.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runs.cli import starting
from runs.cli.parser import Parser

if TYPE_CHECKING:
    from runs.directory import RunDirectory
    from runs.home import Home

EXAMPLES = """
ddpm-tui train digits
ddpm-tui train mnist --name wide --set training.steps=20000 \\
                     --set model.channels=64
ddpm-tui train mine.toml --tag baseline --detach
ddpm-tui train mine.toml --after last --detach   begin once that has ended
ddpm-tui train mnist --from wide@10000       begin with another run's weights
ddpm-tui train mnist --dry-run > mine.toml   only print the configuration
"""


def arguments(parser: Parser) -> None:
    parser.add_argument("source", metavar="PRESET|FILE.toml", help="a preset's name or a configuration file")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a value, as in training.steps=20000; may be repeated",
    )
    parser.add_argument(
        "--from", dest="origin", metavar="RUN@STEP", help="begin with these weights (newest: RUN)"
    )
    starting.after_argument(parser)
    starting.naming_arguments(parser)
    starting.following_arguments(parser)
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print the resolved TOML, or what it would be refused for, and start nothing",
    )


def run(args: argparse.Namespace) -> int:
    from ddpm import configfiles

    config, preset = configfiles.resolve(args.source, args.set)
    starting.check_device(args.device)

    from runs.cli.opening import open_home

    if args.dry_run:
        from runs.checks import absolute_paths, check_training
        from runs.creation import check_free

        starting.check_naming(args)
        if args.name is not None:
            check_free(open_home(args, reading=True), args.name)
        start = _origin(open_home(args, reading=True), args.origin) if args.origin else None
        check_training(absolute_paths(config), start)
        print(configfiles.dumps(config), end="")
        return 0

    from runs.launch import new_training

    home = open_home(args)
    origin = _origin(home, args.origin) if args.origin else None
    after = starting.awaited(home, args)
    starting.warn_before(home, config, args.device, trains=True, after=after)

    def make() -> RunDirectory:
        return new_training(
            home,
            config,
            preset=preset,
            name=args.name,
            tags=tuple(args.tag),
            device=args.device,
            start=origin,
            after=after,
            command=args.command,
        )

    return starting.start(home, make, args, "ddpm-tui train")


def _origin(home: Home, text: str) -> tuple[RunDirectory, int]:
    from runs.checks import latest_step
    from runs.cli.opening import directory, open_catalogue
    from runs.reference import split

    name, step = split(text)
    with open_catalogue(home) as catalogue:
        run = directory(catalogue.find(name))
    return run, latest_step(run) if step is None else step
