"""Train the small classifier of digits whose features are a second ruler for
MNIST, beside Inception's. One comes along, trained by this very command; on
one device the same seed and epochs give the same bytes.
"""

from __future__ import annotations

import argparse
from typing import Any

from runs.cli.parser import Parser, device, output_path, whole

EXAMPLES = """
ddpm-tui classifier         writes mnist-classifier.safetensors
ddpm-tui classifier --seed 1 --out other.safetensors
"""

MODULE = "ddpm.evaluation.classifier_training"
OUT = "mnist-classifier.safetensors"


def arguments(parser: Parser) -> None:
    parser.add_argument(
        "--out", type=output_path, metavar="FILE", help=f"where the weights go (default: {OUT})"
    )
    parser.add_argument("--seed", type=whole(), default=0, help="of weights, order and dropout (default: 0)")
    parser.add_argument("--epochs", type=whole(1), default=5, help="times through MNIST (default: 5)")
    parser.add_argument(
        "--device", type=device, default="cpu", help="auto, cpu, cuda, cuda:1, mps (default: cpu)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    from runs.cli.opening import open_home
    from runs.cli.output import print_json
    from runs.cli.starting import check_device
    from runs.home import absolute, data_root

    check_device(args.device)
    options = {
        "out": args.out or absolute(OUT),
        "data-root": data_root(open_home(args), None),
        "seed": args.seed,
        "epochs": args.epochs,
        "device": args.device,
    }
    result = _trained([text for key, value in options.items() for text in (f"--{key}", str(value))])
    if args.json:
        print_json(result)
    else:
        _print(result)
    return 0


def _trained(arguments: list[str]) -> dict[str, Any]:
    """What the training says at its end."""
    from contextlib import closing

    from runs.cli.waiting import Waiting
    from runs.engine import answers
    from runs.errors import RunError

    with closing(answers(MODULE, *arguments)) as told, Waiting("training") as waiting:
        for record in told:
            if "hash" in record:
                return record
            waiting.update(record["done"], record["total"])
    raise RunError("the training ended without a result")


def _print(result: dict[str, Any]) -> None:
    from runs.humanize import duration
    from runs.text import printable

    right = f"{result['accuracy']:.2%} of {result['tested']:,} test images"
    print(f"accuracy  {right}")
    print(f"hash      {result['hash']}")
    print(f"file      {printable(result['path'])}")
    print(f"time      {duration(result['seconds'])} on {result['device']}")
