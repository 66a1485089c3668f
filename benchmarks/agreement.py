"""FID beside pytorch-fid 0.3.0 and torch-fidelity themselves: the same PNG files, the same weights.

    python -m benchmarks.agreement DATA WEIGHTS GENERATED [--images 400] [--work FOLDER] [--json]

Needs the extra `peers`. Sets of images: CIFAR-10 test images (real), the same with noise of σ = 25, grey
MNIST digits, and GENERATED, a folder of PNGs that a model drew. Each is compared with other CIFAR-10 test
images by each program from the files on, in its own convention.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ddpm import data
from ddpm.config import DataConfig
from ddpm.evaluation.features import InceptionFeatures
from ddpm.evaluation.frechet import frechet_distance
from ddpm.evaluation.moments import Statistics, statistics_of
from ddpm.evaluation.resize import Convention
from ddpm.images import save_png

Fid = Callable[[Path, Path], float]
_PART = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with CIFAR-10 and MNIST")
    parser.add_argument("weights", type=Path, help="state dict of the FID Inception weights (.pth)")
    parser.add_argument("generated", type=Path, help="folder of PNG images that a model drew")
    parser.add_argument("--images", type=int, default=400, help="images of each set")
    parser.add_argument("--work", type=Path, default=Path("agreement"), help="folder for the images")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    sets = dict(_sets(args))
    reference = sets.pop("reference")
    records = []
    for convention, peer in (
        ("pytorch-fid", _pytorch_fid(args.weights)),
        ("tensorflow", _torch_fidelity(args.weights)),
    ):
        ours = _ours(args.weights, convention)
        for name, folder in sets.items():
            found, expected = ours(folder, reference), peer(folder, reference)
            records.append(
                {
                    "convention": convention,
                    "set": name,
                    "images": args.images,
                    "ours": found,
                    "theirs": expected,
                    "relative_difference": abs(found - expected) / expected,
                }
            )
            print(
                f"{convention:12} {name:10} ours {found:.6f} theirs {expected:.6f} "
                f"relative difference {records[-1]['relative_difference']:.1e}",
                file=sys.stderr,
            )
    if args.json:
        print(json.dumps(records, indent=2))


def _sets(args: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    """Folders of PNG files, written once."""
    count = args.images
    cifar = data.load(DataConfig(dataset="cifar10"), args.data, "test").images
    digits = data.load(DataConfig(dataset="mnist"), args.data, "test").images
    noise = torch.randn(cifar[:count].shape, generator=torch.Generator().manual_seed(0))
    noisy = (cifar[:count] + 25 * noise).round().clamp(0, 255).to(torch.uint8)
    drawn = sorted(args.generated.glob("*.png"))[:count]
    if len(drawn) < count:
        sys.exit(f"{args.generated} has {len(drawn)} PNG files, {count} are needed")
    yield "reference", _written(args.work / "reference", cifar[count : 2 * count])
    yield "real", _written(args.work / "real", cifar[:count])
    yield "noisy", _written(args.work / "noisy", noisy)
    yield "grey", _written(args.work / "grey", digits[:count])
    generated = torch.stack([torch.from_numpy(np.array(Image.open(path).convert("RGB"))) for path in drawn])
    yield "generated", _written(args.work / "generated", generated.permute(0, 3, 1, 2))


def _written(folder: Path, images: Tensor) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index, image in enumerate(images.permute(0, 2, 3, 1).numpy()):
        save_png(folder / f"{index:05}.png", image)
    return folder


def _ours(weights: Path, convention: Convention) -> Fid:
    features = InceptionFeatures(weights, convention)
    known: dict[Path, Statistics] = {}

    def statistics(folder: Path) -> Statistics:
        if folder not in known:
            paths = sorted(folder.glob("*.png"))
            pixels = np.stack([np.array(Image.open(path).convert("RGB")) for path in paths])
            images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
            known[folder] = statistics_of(torch.cat([features(part) for part in images.split(_PART)]).numpy())
        return known[folder]

    return lambda one, other: frechet_distance(statistics(one), statistics(other))


def _pytorch_fid(weights: Path) -> Fid:
    from pytorch_fid import fid_score, inception

    inception.load_state_dict_from_url = lambda *_, **__: torch.load(weights, weights_only=True)
    network = inception.InceptionV3([3]).eval()
    known: dict[Path, tuple] = {}

    def statistics(folder: Path) -> tuple:
        if folder not in known:
            known[folder] = fid_score.compute_statistics_of_path(
                str(folder), network, 50, 2048, "cpu", num_workers=0
            )
        return known[folder]

    return lambda one, other: float(
        fid_score.calculate_frechet_distance(*statistics(one), *statistics(other))
    )


def _torch_fidelity(weights: Path) -> Fid:
    from torch_fidelity import metric_fid, utils

    options = {
        "cuda": False,
        "verbose": False,
        "cache": False,
        "feature_extractor_weights_path": str(weights),
    }
    extractor = utils.create_feature_extractor("inception-v3-compat", ["2048"], **options)
    known: dict[Path, dict] = {}

    def statistics(folder: Path) -> dict:
        if folder not in known:
            with contextlib.redirect_stdout(sys.stderr):
                known[folder] = metric_fid.fid_input_id_to_statistics(
                    1, extractor, "2048", input1=str(folder), **options
                )
        return known[folder]

    return lambda one, other: metric_fid.fid_statistics_to_metric(
        statistics(one), statistics(other), verbose=False
    )["frechet_inception_distance"]


if __name__ == "__main__":
    main()
