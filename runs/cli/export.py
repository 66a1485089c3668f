"""Write the weights of a run's checkpoint into a new or empty folder DIR.

--to diffusers     what diffusers.DDPMPipeline.from_pretrained(DIR) loads
--to safetensors   plain files, which `ddpm-tui import` takes anywhere
--to torch         a program (torch.export) that runs without this package
--to onnx          the same for onnxruntime and others

What cannot be carried is refused, with the reason.
"""

from __future__ import annotations

import argparse

from runs.cli.parser import Parser, choice, output_path

EXAMPLES = """
ddpm-tui export mnist-1 --to diffusers mnist-pipeline/
ddpm-tui export mnist-1@20000 --to safetensors mnist-20000/ --dtype bfloat16
ddpm-tui export mnist-1 --to torch program/ --raw
"""


def arguments(parser: Parser) -> None:
    parser.add_argument(
        "run", metavar="RUN[@STEP]", help="a run, and one of its checkpoints (default: the newest)"
    )
    parser.add_argument("out", type=output_path, metavar="DIR", help="a new or an empty folder")
    parser.add_argument(
        "--to",
        required=True,
        type=choice("diffusers", "safetensors", "torch", "onnx"),
        metavar="KIND",
        help="diffusers, safetensors, torch or onnx",
    )
    parser.add_argument(
        "--dtype",
        default="float32",
        type=choice("float32", "float16", "bfloat16"),
        metavar="TYPE",
        help="of the numbers stored: float32, or float16 or bfloat16, half as large (default: float32)",
    )
    parser.add_argument(
        "--average", metavar="AVERAGE", help="of the weights: a decay or relative length that the run keeps"
    )
    parser.add_argument("--raw", action="store_true", help="the weights themselves, no average of them")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    from ddpm import configfiles
    from runs import carrying
    from runs.checks import check_has_checkpoints, latest_step
    from runs.cli.opening import directory, open_to_read
    from runs.cli.output import print_json, say
    from runs.cli.parser import UsageError
    from runs.cli.waiting import Waiting
    from runs.humanize import bytes_text
    from runs.reference import split
    from runs.text import printable

    if args.raw and args.average is not None:
        raise UsageError("--raw: the weights themselves are no average; leave out --average")
    if args.to in ("torch", "onnx") and args.dtype != "float32":
        raise UsageError(f"--dtype: a program computes in float32; leave it out with --to {args.to}")
    if args.out.exists() and (not args.out.is_dir() or any(args.out.iterdir())):
        raise UsageError(f"{args.out}: there already; name a new or an empty folder")
    name, step = split(args.run)
    with open_to_read(args) as catalogue:
        source = directory(catalogue.find(name))
    check_has_checkpoints(source)
    settings = ["sampling.ema=false"] if args.raw else ["sampling.ema=true"]
    settings.append(f"sampling.average={args.average or 'unset'}")
    config = configfiles.override(source.config(), settings)
    step = latest_step(source) if step is None else step
    if (guide := config.sampling.guide) is not None and guide >= step:
        settings += ["sampling.guidance=1", "sampling.guidance_step=unset"]
        say(f"note: sampling.guidance: 1, as step {step} is none that is guided by step {guide}")
    with Waiting("carrying"):
        result = carrying.export(source, step, args.out, to=args.to, dtype=args.dtype, settings=settings)
    for note in result["notes"]:
        say(f"note: {note}")
    if args.json:
        print_json(result)
    else:
        told = f"{result['parameters']:,} numbers, {bytes_text(result['bytes'])}"
        print(printable(f"{source.name}@{step} is in {result['path']} ({told})"))
    return 0
