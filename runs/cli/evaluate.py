"""Draw images with a run's checkpoint and tell how near they are to the data it
learned from: FID, KID, precision, recall and more, beside the floor that the
data set's own other images reach. How long it will still take is told as soon
as its pace is known; the app's form measures it beforehand.

What is not given comes from [evaluation] and [sampling] of the run's
configuration. A stopped or killed evaluation goes on by `resume`.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runs.cli import starting
from runs.cli.parser import Parser
from runs.cli.sample import OPTIONS as SAMPLING
from runs.cli.sample import check_acting

if TYPE_CHECKING:
    from runs.directory import RunDirectory

EXAMPLES = """
ddpm-tui evaluate last
ddpm-tui evaluate mnist-1@20000 -n 50000 --detach
ddpm-tui evaluate mnist-1 -n 2000 --steps 20 --no-companions
ddpm-tui evaluate mnist-1 --convention pytorch-fid --weights inception.pth
"""

#: Options that stand for a key of the configuration: checked as `--set` is, by the models.
OPTIONS = {
    "evaluation.samples": (("-n", "--samples"), "N", "images drawn; papers take 50,000"),
    **{
        f"sampling.{key}": (flags, key.upper().replace("BATCH_SIZE", "N"), meaning)
        for key, (flags, meaning) in SAMPLING.items()
        if key != "count"
    },
    "evaluation.convention": (
        ("--convention",),
        "NAME",
        "resize and scaling before Inception: tensorflow, as papers report, or pytorch-fid",
    ),
    "evaluation.reference": (("--reference",), "SPLIT", "part of the data set: train, as in papers, or test"),
    "evaluation.weights": (
        ("--weights",),
        "FILE",
        "of the FID Inception network (default: DDPM_INCEPTION, else found or downloaded)",
    ),
    "evaluation.classifier": (
        ("--classifier",),
        "FILE",
        "a digit classifier of your own, for MNIST (default: the one that comes along)",
    ),
}


def arguments(parser: Parser) -> None:
    parser.add_argument(
        "run", metavar="RUN[@STEP]", help="a run, and one of its checkpoints (default: the newest)"
    )
    for key, (flags, metavar, meaning) in OPTIONS.items():
        parser.add_argument(*flags, dest=key, metavar=metavar, help=meaning)
    parser.add_argument(
        "--companions",
        action=argparse.BooleanOptionalAction,
        help="also KID, precision, recall, …; with --no-companions FID alone",
    )
    starting.naming_arguments(parser)
    starting.following_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from runs.estimating import checked
    from runs.launch import new_evaluation

    home, parent, step, config = starting.from_checkpoint(args, OPTIONS, companions=args.companions)
    check_acting(args, config)
    starting.check_naming(args)
    checked(parent, step, config.evaluation, config.sampling)
    starting.warn_before(home, config, args.device, trains=False, features=config.evaluation.samples)

    def make() -> RunDirectory:
        return new_evaluation(
            home,
            parent,
            step,
            config.evaluation,
            config.sampling,
            name=args.name,
            tags=tuple(args.tag),
            device=args.device,
            command=args.command,
        )

    return starting.start(home, make, args, "ddpm-tui evaluate")
