"""Inception features per second beside pytorch-fid's and torch-fidelity's, on the same images and weights.

    python -m benchmarks.bench_features DATA WEIGHTS [--images 48] [--rounds 5] [--json]

Needs the extra `peers`. Ours and theirs take turns within one run; what counts is the median of the ratios.
Images are the first of CIFAR-10's test set; each peer computes as its own command does (batches of 50).
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from ddpm import data
from ddpm.config import DataConfig
from ddpm.evaluation.features import InceptionFeatures

Compute = Callable[[Tensor], Tensor]
_PEERS_BATCH = 50


def pytorch_fid(weights: Path) -> Compute:
    from pytorch_fid import inception

    inception.load_state_dict_from_url = lambda *_, **__: torch.load(weights, weights_only=True)
    network = inception.InceptionV3([3]).eval()
    return lambda images: network(images.float() / 255)[0].flatten(1)


def torch_fidelity(weights: Path) -> Compute:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    network = FeatureExtractorInceptionV3("peer", ["2048"], feature_extractor_weights_path=str(weights))
    return lambda images: network(images)[0]


def in_parts(compute: Compute) -> Compute:
    return lambda images: torch.cat([compute(part) for part in images.split(_PEERS_BATCH)])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with CIFAR-10")
    parser.add_argument("weights", type=Path, help="state dict of the FID Inception weights (.pth)")
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    images = data.load(DataConfig(dataset="cifar10"), args.data, "test").images[: args.images]
    record = {
        "threads": torch.get_num_threads(),
        "pytorch-fid": _against(
            InceptionFeatures(args.weights, "pytorch-fid"), pytorch_fid(args.weights), images, args.rounds
        ),
        "torch-fidelity": _against(
            InceptionFeatures(args.weights, "tensorflow"), torch_fidelity(args.weights), images, args.rounds
        ),
    }
    if args.json:
        print(json.dumps(record, indent=2))
        return
    for name in ("pytorch-fid", "torch-fidelity"):
        found = record[name]
        print(
            f"{name}: ours {found['ours']:.2f}/s, theirs {found['theirs']:.2f}/s, "
            f"ratio {found['ratio']:.2f} ({found['ratios'][0]:.2f} to {found['ratios'][-1]:.2f}); "
            f"features differ by {found['difference']:.1e} of their norm"
        )


def _against(ours: Compute, peer: Compute, images: Tensor, rounds: int) -> dict:
    theirs = in_parts(peer)
    with torch.inference_mode():
        difference = (
            torch.linalg.norm(ours(images) - theirs(images)) / torch.linalg.norm(theirs(images))
        ).item()
        times = [(_seconds(ours, images), _seconds(theirs, images)) for _ in range(rounds)]
    return {
        "ours": len(images) / statistics.median(a for a, _ in times),
        "theirs": len(images) / statistics.median(b for _, b in times),
        "ratio": statistics.median(b / a for a, b in times),
        "ratios": sorted(b / a for a, b in times),
        "difference": difference,
    }


def _seconds(compute: Compute, images: Tensor) -> float:
    begin = time.perf_counter()
    compute(images)
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
