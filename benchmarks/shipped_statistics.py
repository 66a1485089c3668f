"""Makes the statistics that come along: MNIST and CIFAR-10 as Inception, MNIST as the classifier sees it.

    python -m benchmarks.shipped_statistics classifier --data DIR
    python -m benchmarks.shipped_statistics mnist cifar10 --data DIR --weights FILE --keep DIR

Writes ddpm/evaluation/shipped/*.npz, each with the floor: the scores of the test images; and with how far the
first images are from the statistics, which a test computes again. Inception takes
70,000 and 60,000 images: minutes on a GPU, two or three hours on two processor cores. Their features are kept
in `--keep` as they come, so that a run that was stopped goes on from there.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ddpm import data as datasets
from ddpm import devices
from ddpm.config import DataConfig
from ddpm.evaluation import reference, statfile
from ddpm.evaluation.classifier import SIZE, SIZES, ClassifierFeatures
from ddpm.evaluation.features import Features, InceptionFeatures
from ddpm.evaluation.keptsplit import SHIPPED
from ddpm.evaluation.mahalanobis import mahalanobis
from ddpm.evaluation.places import Places
from ddpm.evaluation.progress import Steps

#: The convention that papers report; of the other one nothing is shipped.
_CONVENTION = "tensorflow"
#: First images that tests compute the features of.
_PART = 16


@contextmanager
def _aside(target: Path) -> Iterator[None]:
    """What is shipped so far is out of the way; it comes back if nothing took its place."""
    before = target.with_suffix(".before")
    if target.exists():
        target.replace(before)
    try:
        yield
    finally:
        if target.exists():
            before.unlink(missing_ok=True)
        elif before.exists():
            before.replace(target)


def write(target: Path, data: DataConfig, features: Features, root: Path, keep: Path) -> None:
    """Statistics of the training images, and how far the test images are from them.

    To be called with what is shipped so far out of the way: it must not be its own source.
    """
    companions = isinstance(features, InceptionFeatures)
    places = Places(root, None, keep, keep)
    found = _told(
        reference.build(data, "train", features, places, companions=companions, floor=True), target.name
    )
    first = features(datasets.load(data, root, "train").images[:_PART])
    part = {"images": _PART, "mahalanobis": float(mahalanobis(first, found.statistics).mean())}
    meta = {"features": features.identity, "reference": found.identity, "floor": found.floor, "part": part}
    statfile.save(target, found.statistics, meta)
    print(f"{target.name}: {target.stat().st_size:,} bytes, floor {found.floor}")


def _told(work: Steps[reference.Reference], name: str) -> reference.Reference:
    while True:
        try:
            progress = next(work)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        print(f"\r{name} {progress.done:,} of {progress.total:,} images ", end="", file=sys.stderr)


def _wanted(args: argparse.Namespace) -> Iterator[tuple[str, DataConfig, Features]]:
    if "classifier" in args.what:
        for size in SIZES:
            name = f"mnist-train-classifier{'' if size == SIZE else f'-{size}'}"
            yield name, DataConfig(dataset="mnist", image_size=size), ClassifierFeatures()
    for dataset in ("mnist", "cifar10"):
        if dataset in args.what:
            network = InceptionFeatures(args.weights, _CONVENTION, devices.resolve(args.device))
            yield f"{dataset}-train-{_CONVENTION}", DataConfig(dataset=dataset), network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", nargs="+", choices=("classifier", "mnist", "cifar10"))
    parser.add_argument("--data", type=Path, required=True, help="data root")
    parser.add_argument("--weights", type=Path, help="file of the FID Inception weights")
    parser.add_argument("--keep", type=Path, help="folder for the features (default: a temporary one)")
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    if args.weights is None and set(args.what) != {"classifier"}:
        parser.error("--weights is needed for Inception")
    for name, data, features in _wanted(args):
        target = SHIPPED / f"{name}.npz"
        with tempfile.TemporaryDirectory() as temporary, _aside(target):
            write(target, data, features, args.data, args.keep or Path(temporary))


if __name__ == "__main__":
    main()
