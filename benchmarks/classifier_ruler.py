"""What the digit classifier's features see, beside Inception's: Fréchet distances of MNIST's test images,
as they are and with something done to them, to the training images.

    python benchmarks/classifier_ruler.py --data DIR [--inception FILE] [--images 200]

The first column takes all test images and all training images. The others, which are there with a file of the
Inception weights, take as many of each as `--images` says, for both networks alike: at so few a distance is
mostly the number of images, so what counts is how many times that of the untouched images it is.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ddpm import data
from ddpm.config import DataConfig
from ddpm.evaluation.classifier import ClassifierFeatures
from ddpm.evaluation.features import Features, InceptionFeatures
from ddpm.evaluation.frechet import frechet_distance
from ddpm.evaluation.moments import Statistics, statistics_of

Labelled = tuple[Tensor, Tensor]

#: What Inception is shown too: an image takes it some 0.15 s.
BOTH = ("untouched", "noise 16", "noise 32", "blur 0.5", "no sevens", "no 5 to 9", "only ones")


def shuffled(split: str, root: Path, seed: int) -> Labelled:
    """(images uint8 (N,1,28,28), labels (N,)); the first half of the test images is easier."""
    found = data.load(DataConfig(dataset="mnist"), root, split)
    assert found.labels is not None
    order = torch.randperm(len(found.images), generator=torch.Generator().manual_seed(seed))
    return found.images[order], found.labels[order]


def rounded(x: Tensor) -> Tensor:
    return x.clamp(0, 255).round().to(torch.uint8)


def noisy(images: Tensor, deviation: float) -> Tensor:
    """With normal noise of that many grey levels."""
    generator = torch.Generator().manual_seed(1)
    return rounded(images.float() + deviation * torch.randn(images.shape, generator=generator))


def blurred(images: Tensor, deviation: float) -> Tensor:
    """By a Gaussian of that many pixels."""
    place = torch.arange(-5, 6.0)
    kernel = torch.exp(-(place**2) / (2 * deviation**2))
    kernel /= kernel.sum()
    x = F.conv2d(images.float(), kernel[None, None, None], padding=(0, 5))
    return rounded(F.conv2d(x, kernel[None, None, :, None], padding=(5, 0)))


def variants(images: Tensor, labels: Tensor, limit: int | None) -> Iterator[tuple[str, Tensor]]:
    """(name, images), at most `limit` of each; a digit that is left out is made up for by others."""
    some = images[:limit]
    yield "untouched", some
    for deviation in (8, 16, 32, 64):
        yield f"noise {deviation}", noisy(some, deviation)
    for deviation in (0.4, 0.5, 0.7, 1.0):
        yield f"blur {deviation}", blurred(some, deviation)
    yield "no sevens", images[labels != 7][:limit]
    yield "no 5 to 9", images[labels < 5][:limit]
    yield "only ones", images[labels == 1][:limit]
    yield "black or white", (some > 127).to(torch.uint8) * 255


def statistics(features: Features, images: Tensor) -> Statistics:
    return statistics_of(features(images).numpy())


def distances(features: Features, training: Labelled, test: Labelled, limit: int | None) -> dict[str, float]:
    """Of each variant to the training images; of those in BOTH where there is a limit."""
    reference = statistics(features, training[0][:limit])
    return {
        name: frechet_distance(statistics(features, images), reference)
        for name, images in variants(*test, limit)
        if limit is None or name in BOTH
    }


def cell(column: dict[str, float], name: str) -> str:
    if name not in column:
        return " " * 32
    return f"{column[name]:18.2f}{column[name] / column['untouched']:14.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="data root of MNIST")
    parser.add_argument("--classifier", type=Path, help="its weights (default: those that come along)")
    parser.add_argument("--inception", type=Path, help="file of the FID Inception weights")
    parser.add_argument("--images", type=int, default=200, help="of each set, for the comparison")
    args = parser.parse_args()
    training, test = shuffled("train", args.data, 0), shuffled("test", args.data, 0)
    digits = ClassifierFeatures(args.classifier)
    columns = {"classifier, all": distances(digits, training, test, None)}
    if args.inception:
        columns[f"classifier, {args.images}"] = distances(digits, training, test, args.images)
        inception = InceptionFeatures(args.inception)
        columns[f"Inception, {args.images}"] = distances(inception, training, test, args.images)
    print(" " * 16 + "".join(f"{title:>18}{'× untouched':>14}" for title in columns))
    for name in columns["classifier, all"]:
        print(f"{name:16}" + "".join(cell(column, name) for column in columns.values()))


if __name__ == "__main__":
    main()
