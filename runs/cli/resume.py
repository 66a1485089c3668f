"""Go on with a run from its last checkpoint, and follow it.

A stopped, failed or lost run goes on to where it was meant to end, in the
same bytes as if it had never stopped. A finished one goes on when it is given
more steps.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runs.cli import starting
from runs.cli.parser import Parser

if TYPE_CHECKING:
    from runs.directory import RunDirectory

EXAMPLES = """
ddpm-tui resume last
ddpm-tui resume mnist-1 --set training.steps=40000 --detach
"""


def arguments(parser: Parser) -> None:
    parser.add_argument("run", metavar="RUN", help="number, name, beginning of a name, or `last`")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a value, as in training.steps=40000",
    )
    starting.following_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from runs.cli.opening import directory, open_catalogue, open_home
    from runs.launch import resume

    home = open_home(args)
    with open_catalogue(home) as catalogue:
        found = directory(catalogue.find(args.run))
    starting.warn_before(home, found.config(), found.info["device"], trains=found.kind == "train")

    def make() -> RunDirectory:
        resume(found, args.set)
        return found

    return starting.start(home, make, args, "ddpm-tui resume")
