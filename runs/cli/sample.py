"""Draw images with a run's checkpoint, and follow it.

What is not given comes from [sampling] of the run's configuration. Image i of
a seed is always the same image, whatever the batch size.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runs.cli import starting
from runs.cli.parser import Parser, UsageError, output_path

if TYPE_CHECKING:
    from ddpm.config import Config
    from runs.directory import RunDirectory

EXAMPLES = """
ddpm-tui sample last
ddpm-tui sample mnist-1@20000 -n 100 --sampler ddpm --seed 7
ddpm-tui sample mnist-1 -n 16 --out digits.png      one picture, a grid
ddpm-tui sample mnist-1 -n 1000 --out digits/       a folder of single images
"""

#: Options that stand for a key of [sampling]: checked as `--set` is, by the models.
OPTIONS = {
    "count": (("-n", "--count"), "images"),
    "sampler": (
        ("--sampler",),
        "ddpm, ddim, euler, heun, dpmpp-2m, dpmpp-3m, unipc, ipndm, or consistency of a network tuned for it",
    ),
    "steps": (("--steps",), "steps per image: a network evaluation each, heun two but one in the last"),
    "eta": (("--eta",), "fresh noise of ddim, dpmpp-2m, dpmpp-3m: 0 none, 1 as ddpm"),
    "spacing": (("--spacing",), "timesteps used: uniform, quadratic, log_snr or karras"),
    "rho": (("--rho",), "karras: above 1 denser near the image"),
    "clip": (("--clip",), "cut predicted images to the range of pixels: true or false"),
    "labels": (("--labels",), "classes to draw, as 3,7 or cat,dog, or all of them in turn"),
    "guidance": (("--guidance",), "1 none, above it more of the class, or of what training brought"),
    "guidance_step": (
        ("--guidance-step",),
        "guided by this earlier step's weights (autoguidance), or unset: by the same without the class",
    ),
    "guidance_class": (("--guidance-class",), "and towards the class too: true (the default) or false"),
    "guidance_from": (("--guidance-from",), "guided from this share of the timesteps on: 0 the image"),
    "guidance_to": (("--guidance-to",), "and up to this one: 1 the noise"),
    "average": (("--average",), "of the weights: a decay or relative length that the training keeps"),
    "seed": (("--seed",), "of the images"),
    "batch_size": (("--batch-size",), "images computed at once"),
    "compile": (("--compile",), "torch.compile of the network: auto (the default), off or on"),
}


def arguments(parser: Parser) -> None:
    parser.add_argument(
        "run", metavar="RUN[@STEP]", help="a run, and one of its checkpoints (default: the newest)"
    )
    for key, (flags, meaning) in OPTIONS.items():
        parser.add_argument(
            *flags, dest=f"sampling.{key}", metavar=key.upper().replace("BATCH_SIZE", "N"), help=meaning
        )
    parser.add_argument(
        "--out", type=output_path, metavar="PATH", help="X.png: a grid; else a folder of images"
    )
    starting.naming_arguments(parser)
    starting.following_arguments(parser)


def check_acting(args: argparse.Namespace, config: Config) -> None:
    """UsageError for an option given that does nothing beside the others: what the run has may stand."""
    from ddpm.config_sampling import idle

    for key, reason in idle(config.sampling, config.model.classes).items():
        if getattr(args, f"sampling.{key}") is not None:
            raise UsageError(f"{OPTIONS[key][0][0]}: {reason}")


def run(args: argparse.Namespace) -> int:
    from runs.launch import new_sampling

    keys = [f"sampling.{key}" for key in OPTIONS]
    home, parent, step, config = starting.from_checkpoint(args, keys)
    check_acting(args, config)
    starting.warn_before(home, config, args.device, trains=False)

    def make() -> RunDirectory:
        return new_sampling(
            home,
            parent,
            step,
            config.sampling,
            name=args.name,
            tags=tuple(args.tag),
            device=args.device,
            out=args.out,
            command=args.command,
        )

    return starting.start(home, make, args, "ddpm-tui sample")
