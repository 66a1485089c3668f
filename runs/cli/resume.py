"""Go on with a run from its last checkpoint, and follow it.

A stopped, failed or lost run goes on to where it was meant to end, in the
same bytes as if it had never stopped. A finished one goes on when it is given
more steps.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runs.cli import starting
from runs.cli.parser import Parser, device

if TYPE_CHECKING:
    from runs.directory import RunDirectory

EXAMPLES = """
ddpm-tui resume last
ddpm-tui resume mnist-1 --set training.steps=40000 --detach
ddpm-tui resume mnist-1 --after last         once that has ended
ddpm-tui resume mnist-1 --device cpu         it came from another machine
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
    parser.add_argument("--device", type=device, help="go on there from now on (default: where it was)")
    starting.after_argument(parser)
    starting.following_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from runs.cli.opening import directory, open_catalogue, open_home
    from runs.errors import RunError
    from runs.launch import resume
    from runs.resuming import planned
    from runs.status import running

    home = open_home(args)
    with open_catalogue(home) as catalogue:
        found = directory(catalogue.find(args.run))
    if running(found.path):
        raise RunError(f"{found.name} (#{found.id}) is running already")
    config = planned(found, args.set)
    if args.device is not None:
        starting.check_device(args.device)
    place = args.device or found.info["device"]
    features = config.evaluation.samples if found.kind == "evaluate" else 0
    after = starting.awaited(home, args, found)
    starting.warn_before(home, config, place, trains=found.kind == "train", features=features, after=after)

    def make() -> RunDirectory:
        resume(found, args.set, device=args.device, after=after)
        return found

    return starting.start(home, make, args, "ddpm-tui resume")
