"""Restore images with a run's checkpoint: noised, masked, shrunk, blurred,
stripped of colour or measured at random. Inputs are taken as degraded already;
with --degrade they are clean ones, degraded first, and PSNR and SSIM are told.

Images of the model's size are restored as they are, larger ones by overlapping
tiles, smaller ones padded by mirroring. Results are PNG files with the inputs'
names; grey stays grey, alpha and 16 bits of grey are kept, EXIF rotation is
applied. A stopped or killed restoration goes on by `resume`. Inputs that are
no images are named and left out, and the exit status is then 1.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runs.cli import starting
from runs.cli.parser import Parser, output_path

if TYPE_CHECKING:
    from runs.directory import RunDirectory

EXAMPLES = """
ddpm-tui restore mnist-1 noisy.png --task denoise --out clean/
ddpm-tui restore mnist-1 scans/ --task inpaint --mask mask.png --out full/
ddpm-tui restore last mnist:test -n 100 --degrade --task super-resolution
ddpm-tui restore cifar photos/ --task colorize --out colour/ --json
"""

#: Options that stand for a key of [restoration]: checked as `--set` is, by the models.
OPTIONS = {
    "task": (
        "TASK",
        "denoise (default), inpaint, super-resolution, deblur, colorize or compressed-sensing",
    ),
    "sigma": (
        "SIGMA",
        "noise, as a share of the range from black to white: 25 of 255 is 0.098 (default: denoise estimates "
        "it image by image, or adds 0.1 with --degrade; else 0)",
    ),
    "mask": ("MASK", "inpaint: box (default), random, or a file that is white where pixels are hidden"),
    "hidden": ("SHARE", "inpaint: share that box or random hides (default: 0.25, 0.5)"),
    "scale": ("2|4", "super-resolution: times as many pixels each way (default: 2)"),
    "filter": ("NAME", "super-resolution: average (default) or bicubic, what shrank them"),
    "kernel": ("NAME", "deblur: gaussian (default), uniform or anisotropic"),
    "width": (
        "PIXELS",
        "deblur: standard deviation (default: gaussian 1.5, anisotropic 3 across and 1 down), or side of "
        "uniform (default: 5)",
    ),
    "ratio": ("SHARE", "compressed-sensing: measurements for each pixel value (default: 0.25)"),
    "method": ("NAME", "ddrm (default), posterior or repaint"),
    "steps": ("N", "network evaluations per image (default: 20)"),
    "spacing": ("NAME", "timesteps used: quadratic (default) or uniform"),
    "eta": ("ETA", "ddrm: fresh noise where the measurement is noisy, 0 to 1 (default: 0.85)"),
    "eta_unseen": ("ETA", "fresh noise where nothing is seen, 0 to 1 (default: 1)"),
    "samples": ("N", "restorations drawn of each image, their mean is written (default: 1)"),
    "seed": ("SEED", "of masks, noise and restorations"),
    "batch_size": ("N", "tiles computed at once"),
    "count": ("N", "the first N of all inputs"),
}


def arguments(parser: Parser) -> None:
    parser.add_argument(
        "run", metavar="RUN[@STEP]", help="a run, and one of its checkpoints (default: the newest)"
    )
    parser.add_argument(
        "inputs", nargs="+", metavar="INPUT", help="an image, a folder of images, or DATASET:SPLIT"
    )
    parser.add_argument(
        "--degrade",
        action="store_const",
        const="true",
        dest="restoration.degrade",
        help="the inputs are clean: degrade them first, and tell PSNR and SSIM",
    )
    for key, (metavar, meaning) in OPTIONS.items():
        flags = [f"--{key.replace('_', '-')}"]
        flags = ["-n", *flags] if key == "count" else flags
        parser.add_argument(*flags, dest=f"restoration.{key}", metavar=metavar, help=meaning)
    parser.add_argument(
        "--out", type=output_path, metavar="DIR", help="a new or empty folder (default: the run keeps them)"
    )
    starting.naming_arguments(parser)
    starting.following_arguments(parser, json="print a JSON line for each image, with what was measured")


def run(args: argparse.Namespace) -> int:
    from ddpm.config_restoration import misplaced
    from runs.errors import BadValueError
    from runs.launch import new_restoration

    keys = [f"restoration.{key}" for key in ("degrade", *OPTIONS)]
    home, parent, step, config = starting.from_checkpoint(args, keys)
    given = [key for key in OPTIONS if getattr(args, f"restoration.{key}") is not None]
    if wrong := misplaced(given, config.restoration.task):
        raise BadValueError(f"{wrong}; say --task")
    starting.warn_before(home, config, args.device, trains=False)

    def make() -> RunDirectory:
        return new_restoration(
            home,
            parent,
            step,
            config.restoration,
            args.inputs,
            out=args.out,
            name=args.name,
            tags=tuple(args.tag),
            device=args.device,
            command=args.command,
        )

    return starting.start(home, make, args, "ddpm-tui restore")
