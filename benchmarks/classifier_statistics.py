"""Makes the statistics that come along with the digit classifier, out of MNIST and the weights beside them.

    python -m benchmarks.classifier_statistics --data DIR

Writes ddpm/evaluation/shipped/mnist-train-classifier*.npz, for MNIST as it is and with its rim (32×32), each
with the floor: the distance of the 10,000 test images.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from ddpm.config import DataConfig
from ddpm.evaluation import reference, statfile
from ddpm.evaluation.classifier import SIZE, SIZES, ClassifierFeatures
from ddpm.evaluation.places import Places
from ddpm.evaluation.progress import finish
from ddpm.evaluation.shelf import SHIPPED


def write(size: int, root: Path) -> None:
    """The statistics of MNIST's training images at one size."""
    target = SHIPPED / f"mnist-train-classifier{'' if size == SIZE else f'-{size}'}.npz"
    target.unlink(missing_ok=True)  # else it would be its own source
    features = ClassifierFeatures()
    with tempfile.TemporaryDirectory() as folder:
        places = Places(root, None, Path(folder), Path(folder))
        mnist = DataConfig(dataset="mnist", image_size=size)
        found = finish(reference.build(mnist, "train", features, places, companions=False, floor=True))
    statfile.save(
        target,
        found.statistics,
        {"features": features.identity, "reference": found.identity, "floor": found.floor},
    )
    print(f"{target.name}: {target.stat().st_size:,} bytes, floor {found.floor}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="data root of MNIST")
    args = parser.parse_args()
    for size in SIZES:
        write(size, args.data)


if __name__ == "__main__":
    main()
