"""Draw images with a run's checkpoint and tell how near they are to the data it
learned from: FID, KID, precision, recall and more, beside the floor that the
data set's own other images reach. How long it will take is told beforehand.

What is not given comes from [evaluation] and [sampling] of the run's
configuration. A stopped or killed evaluation goes on by `resume`.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runs.cli import starting
from runs.cli.parser import Parser
from runs.cli.sample import OPTIONS as SAMPLING

if TYPE_CHECKING:
    from ddpm.config import Config
    from runs.directory import RunDirectory
    from runs.home import Home

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
    from ddpm import configfiles
    from runs.cli.opening import directory, open_catalogue, open_home
    from runs.launch import new_evaluation
    from runs.reference import split

    home = open_home(args)
    name, step = split(args.run)
    with open_catalogue(home) as catalogue:
        parent = directory(catalogue.find(name))
    given = [f"{key}={value}" for key in OPTIONS if (value := getattr(args, key)) is not None]
    given += [] if args.companions is None else [f"evaluation.companions={str(args.companions).lower()}"]
    config = configfiles.override(parent.config(), given)
    starting.check_device(args.device)
    starting.check_naming(args)
    missing = _tell_time(home, parent, step, config, args.device)
    features = config.evaluation.samples + missing
    starting.warn_before(home, config, args.device, trains=False, features=features)

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


def _tell_time(home: Home, parent: RunDirectory, step: int | None, config: Config, device: str) -> int:
    """Say how long it will take; images of the data set whose features are not known yet.

    RunError and ConfigError for what the evaluation would fail by.
    """
    from runs.cli.output import say, warn
    from runs.estimating import UnknownTimeError, checked, estimate
    from runs.humanize import duration

    evaluation = config.evaluation
    checked(parent, step, evaluation, config.sampling)
    say("Measuring how long it will take …")
    try:
        found = estimate(home, parent, step, evaluation, config.sampling, device=device)
    except UnknownTimeError as error:
        warn(f"how long it will take is not known: {error}")
        return 0
    parts = [
        f"{duration(found.sampling_seconds)} to draw {evaluation.samples:,} images",
        f"{duration(found.feature_seconds)} for their features",
    ]
    if found.reference_images:
        of = f"{found.reference_images:,} images of the data set"
        parts.append(f"{duration(found.reference_seconds)} for those of {of}, once")
    say(f"About {duration(found.seconds)} on {found.device}: {', '.join(parts)}.")
    return found.reference_images
