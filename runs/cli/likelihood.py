"""Measure how likely a run's checkpoint finds images of its data set: bits per
dimension by the variational bound (an upper bound: lower is better), of images
that it learned from and of others, each with its standard error.

Terms of the bound are computed at timesteps drawn over all of them, which is
unbiased; --timesteps as many as the run has computes every term, as papers do.
A stopped or killed run goes on by `resume`.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runs.cli import starting
from runs.cli.parser import Parser

if TYPE_CHECKING:
    from runs.directory import RunDirectory

EXAMPLES = """
ddpm-tui likelihood last
ddpm-tui likelihood mnist-1@20000 --train 0 --test 10000 --detach
ddpm-tui likelihood mnist-1 --timesteps 1000        every term of every image
"""

#: Options that stand for a key of [likelihood]: checked as `--set` is, by the models.
OPTIONS = {
    "train": "images of the data set's training part (default: 500)",
    "test": "images of its test part (default: as many)",
    "timesteps": "terms computed for each image (default: 100)",
    "clip": "cut predicted images to the range of pixels: true or false",
    "seed": "of the images chosen, the timesteps and the noise",
    "batch_size": "images computed at once",
}


def arguments(parser: Parser) -> None:
    parser.add_argument(
        "run", metavar="RUN[@STEP]", help="a run, and one of its checkpoints (default: the newest)"
    )
    for key, meaning in OPTIONS.items():
        metavar = {"clip": "CLIP", "seed": "SEED"}.get(key, "N")
        flag = f"--{key.replace('_', '-')}"
        parser.add_argument(flag, dest=f"likelihood.{key}", metavar=metavar, help=meaning)
    starting.naming_arguments(parser)
    starting.following_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from runs.launch import new_likelihood

    keys = [f"likelihood.{key}" for key in OPTIONS]
    home, parent, step, config = starting.from_checkpoint(args, keys)
    starting.check_naming(args)
    starting.warn_before(home, config, args.device, trains=False)

    def make() -> RunDirectory:
        return new_likelihood(
            home,
            parent,
            step,
            config.likelihood,
            name=args.name,
            tags=tuple(args.tag),
            device=args.device,
            command=args.command,
        )

    return starting.start(home, make, args, "ddpm-tui likelihood")
