"""FID of CIFAR-10's training images against its test images: 3.15 in pytorch-fid's convention.

    python -m benchmarks.cifar10_floor DATA WEIGHTS [--convention pytorch-fid] [--keep FOLDER] [--json]

All 60,000 images go through Inception: a minute on a GPU, well over an hour on two processor cores. Features
are kept in FOLDER as they come, so that a run that was stopped goes on from there.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

from ddpm import data, devices
from ddpm.config import DataConfig
from ddpm.evaluation.featurefile import FeatureFile
from ddpm.evaluation.features import InceptionFeatures
from ddpm.evaluation.frechet import frechet_distance
from ddpm.evaluation.moments import statistics_of
from ddpm.evaluation.resize import CONVENTIONS

#: What the literature gives for it (pytorch-fid's convention; 50,000 against 10,000 images).
KNOWN = {"pytorch-fid": 3.15}
_PART = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with CIFAR-10")
    parser.add_argument("weights", type=Path, help="file of the FID Inception weights")
    parser.add_argument("--convention", choices=CONVENTIONS, default="pytorch-fid")
    parser.add_argument("--keep", type=Path, default=Path("features"), help="folder for the features")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    network = InceptionFeatures(args.weights, args.convention, devices.resolve(args.device))
    splits = [statistics_of(_features(args, network, split)) for split in ("train", "test")]
    fid = frechet_distance(*splits)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    record = {"fid": fid, "known": KNOWN.get(args.convention), "peak_memory_gb": round(memory, 2)}
    record |= network.identity | {"counts": [s.count for s in splits]}
    if args.json:
        print(json.dumps(record, indent=2))
        return
    print(f"CIFAR-10 train against test, {args.convention}: FID {fid:.4f} (literature: {record['known']})")
    print(f"peak memory {memory:.2f} GB")


def _features(args: argparse.Namespace, network: InceptionFeatures, split: str) -> np.ndarray:
    images = data.load(DataConfig(dataset="cifar10"), args.data, split).images
    kept = FeatureFile(args.keep / f"cifar10-{split}-{args.convention}.f32", network.dimension)
    begin, already = time.monotonic(), len(kept)
    while (done := len(kept)) < len(images):
        kept.append(network(images[done : done + _PART]))
        rate = (len(kept) - already) / (time.monotonic() - begin)
        print(f"\r{split} {len(kept):,} of {len(images):,}  {rate:.1f}/s ", end="", file=sys.stderr)
    return kept.rows()


if __name__ == "__main__":
    main()
