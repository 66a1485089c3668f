"""FID and its companions between any two of: a folder of images, an .npz or
.npy file of uint8 images or of features, a file of statistics (ours or
pytorch-fid's), a data set (cifar10:train, mnist:test, digits, mnist:test@32).

A is judged against B. Where only A is a data set or statistics, it is taken
for the reference. The two may differ in image size.
"""

from __future__ import annotations

import argparse
from typing import Any

from runs.cli.parser import Parser, choice, device, output_path

EXAMPLES = """
ddpm-tui fid samples/ cifar10:train
ddpm-tui fid samples/ other-samples.npz --json
ddpm-tui fid samples/ pytorch-fid-stats.npz --convention pytorch-fid
ddpm-tui fid cifar10:train cifar10:test --no-companions
ddpm-tui fid samples/ photos/ --save-reference photos.npz
ddpm-tui fid samples/ photos.npz             from then on
"""

MODULE = "ddpm.evaluation.compare"


def arguments(parser: Parser) -> None:
    parser.add_argument("a", metavar="A", help="what is judged")
    parser.add_argument("b", metavar="B", help="the reference")
    parser.add_argument(
        "--convention",
        type=choice("tensorflow", "pytorch-fid"),
        help="resize and scaling before Inception: tensorflow, as in papers, or pytorch-fid "
        "(default: what a statistics file says of itself, else tensorflow)",
    )
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="Inception weights (default: DDPM_INCEPTION, else found or downloaded)",
    )
    parser.add_argument(
        "--no-companions", action="store_true", help="FID alone, without KID, precision, recall and the like"
    )
    parser.add_argument(
        "--save-reference",
        type=output_path,
        metavar="FILE.npz",
        help="keep the reference's statistics, to compare with again; they say which convention they are of",
    )
    parser.add_argument(
        "--device", type=device, default="auto", help="auto, cpu, cuda, cuda:1, mps (default: auto)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    from runs.cli.output import print_json
    from runs.cli.starting import check_device

    check_device(args.device)
    result = _compared(_options(args), args.a, args.b)
    if args.json:
        print_json(result)
    else:
        _print(result)
    return 0


def _options(args: argparse.Namespace) -> list[str]:
    from runs.cli.opening import open_home
    from runs.home import data_root, inception_weights

    home = open_home(args)
    options = {
        "data-root": data_root(home, None),
        "weights-folder": home.weights,
        "references": home.references,
        "device": args.device,
    }
    if weights := inception_weights(args.weights):
        options["weights"] = weights
    if args.convention:
        options["convention"] = args.convention
    if args.save_reference:
        options["save-reference"] = args.save_reference
    given = [text for key, value in options.items() for text in (f"--{key}", str(value))]
    return [*given, *(["--no-companions"] if args.no_companions else [])]


def _compared(options: list[str], a: str, b: str) -> dict[str, Any]:
    """The result; until then the progress is shown."""
    from contextlib import closing

    from runs.cli.waiting import Waiting
    from runs.engine import answers
    from runs.errors import RunError

    with Waiting("starting") as waiting, closing(answers(MODULE, *options, "--", a, b)) as told:
        for record in told:
            if "result" in record:
                result: dict[str, Any] = record["result"]
                return result
            now = record["progress"]
            waiting.update(now["done"], now["total"], now["stage"], now["unit"])
    raise RunError("the comparison ended without a result")


def _print(result: dict[str, Any]) -> None:
    from runs.cli.output import say
    from runs.text import printable

    subject, reference = result["subject"], result["reference"]
    print(printable(f"{subject['name']} against {reference['name']}"))
    print()
    for title, text in _lines(result):
        print(f"{title:<9}  {printable(text)}")
    for note in result["notes"]:
        say(f"note: {note}")


def _lines(result: dict[str, Any]) -> list[tuple[str, str]]:
    """The rows of the table; what is not known is left out."""
    from runs.caveats import floor_at
    from runs.humanize import distance

    convention = result["convention"]
    said = f"{convention} convention" if convention else "the files do not say by which convention"
    lines = [("FID", f"{distance(result['fid']):<9}  {said}")]
    if result["kid"] is not None:
        lines.append(("KID", f"{result['kid']:.5f} ± {result['kid_error']:.5f}"))
    shares = ("precision", "recall", "density", "coverage")
    lines += [(name, f"{result[name]:.3f}") for name in shares if result[name] is not None]
    counts = [_count(result[side]["images"]) for side in ("subject", "reference")]
    lines.append(("images", " against ".join(counts)))
    floor = result["floor"]
    if floor:
        other = f"{result['protocol']['reference']['dataset']}:{floor['split']}"
        images = floor_at(floor, result["subject"]["images"])
        lines.append(("floor", f"{distance(floor['fid']):<9}  FID of {other} at {images}"))
    return lines


def _count(images: int | None) -> str:
    return f"{images:,}" if images is not None else "unknown"
