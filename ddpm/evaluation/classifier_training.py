"""Training of the digit classifier: the same bytes for a seed on one device.

`python -m ddpm.evaluation.classifier_training` prints a JSON object a line: {"done", "total"} in images while
it works, and last what came of it, or {"error"} and exit status 1. `ddpm-tui classifier` runs it.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ddpm import asker, atomic, data, devices, weights
from ddpm.config import DataConfig
from ddpm.data import ImageSet
from ddpm.datafiles import shown
from ddpm.errors import EngineError
from ddpm.evaluation.classifier import DIMENSION, Classifier, prepare
from ddpm.evaluation.features import full_float32
from ddpm.evaluation.hashing import tensors_hash
from ddpm.evaluation.moments import Moments
from ddpm.evaluation.progress import Progress, Steps
from ddpm.randomness import DataOrder, derive

SEED, EPOCHS = 0, 5  #: of the classifier that comes along

_BATCH = 128
_LEARNING_RATE, _WEIGHT_DECAY, _DROPOUT = 4e-3, 1e-2, 0.25
_PART = 500  # images computed at once where nothing is learned


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a training."""

    path: str  #: the file of the weights
    hash: str  #: SHA-256 over the tensors by name, as it stands in protocols
    accuracy: float  #: share of MNIST's test images that are told right
    tested: int  #: test images
    seed: int
    epochs: int
    device: str
    seconds: float


def train_to_file(path: Path, data_root: Path, *, seed: int, epochs: int, device: str) -> Steps[Trained]:
    """Trains on all of MNIST's training images, writes the weights to `path` (safetensors) and measures the
    accuracy on the test images, which nothing is chosen by.

    Raises EngineError where the data are missing or the file cannot be written; DataError as `data.load`.
    """
    began = time.perf_counter()
    chosen = devices.resolve(device)
    require_writable(path)
    mnist = DataConfig(dataset="mnist")
    training, test = data.load(mnist, data_root), data.load(mnist, data_root, "test")
    network = yield from train(training, seed=seed, epochs=epochs, device=chosen)
    right = accuracy(network, test)
    _write(path, weights.to_bytes(network))
    return Trained(
        path=str(path),
        hash=tensors_hash(network.state_dict()),
        accuracy=right,
        tested=len(test.images),
        seed=seed,
        epochs=epochs,
        device=str(chosen),
        seconds=round(time.perf_counter() - began, 1),
    )


def train(images: ImageSet, *, seed: int, epochs: int, device: torch.device) -> Steps[Classifier]:
    """AdamW on cross-entropy over one cycle of the learning rate (Smith & Topin 2018), no augmentation.

    images: uint8 (N,1,28,28) with labels, N at least 128. While it trains, features are normalised by batch;
    then they are standardised over all images. Seeds torch's global generator on every step (for dropout)
    and has torch be deterministic on `device`. Raises EngineError for too few images.
    """
    assert images.labels is not None
    if len(images.images) < _BATCH:
        raise EngineError(f"the classifier needs at least {_BATCH} images; there are {len(images.images)}")
    devices.be_deterministic(device)
    torch.manual_seed(derive(seed, "classifier"))
    network = Classifier().to(device)
    steps = len(images.images) // _BATCH * epochs
    optimizer = torch.optim.AdamW(network.parameters(), _LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, total_steps=steps, pct_start=0.2)
    order = DataOrder(len(images.images), derive(seed, "classifier"))
    for step in range(steps):
        chosen = order.batch(step * _BATCH, _BATCH)
        torch.manual_seed(derive(seed, "classifier", step))
        with full_float32():
            loss = _loss(network, images.images[chosen].to(device), images.labels[chosen].to(device))
            optimizer.zero_grad()
            loss.backward()
        optimizer.step()
        cycle.step()
        yield Progress((step + 1) * _BATCH, steps * _BATCH)
    network.requires_grad_(False).eval()
    network.standardise(*_mean_and_deviation(network, images.images))
    return network


def accuracy(network: Classifier, images: ImageSet) -> float:
    """Share of images (uint8 (N,C,H,W), as `prepare` takes them) whose largest logit is their label's."""
    assert images.labels is not None
    device = next(network.parameters()).device
    right = 0
    with torch.inference_mode(), full_float32():
        for part, labels in zip(images.images.split(_PART), images.labels.split(_PART), strict=True):
            right += int((network(prepare(part.to(device))).argmax(1).cpu() == labels).sum())
    return right / len(images.images)


def require_writable(path: Path) -> None:
    """EngineError where a file could not be written: better told before minutes of work."""
    if path.is_dir():
        raise EngineError(f"{shown(path)} is a folder; the weights need a file's name")
    if not path.parent.is_dir():
        raise EngineError(f"the folder {shown(path.parent)} does not exist")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise EngineError(f"the folder {shown(path.parent)} cannot be written")


def _loss(network: Classifier, images: Tensor, labels: Tensor) -> Tensor:
    maps = F.dropout(network.maps(prepare(images)), _DROPOUT)
    features = F.batch_norm(network.hidden(maps), None, None, training=True)
    return F.cross_entropy(network.output(F.relu(features)), labels)


def _mean_and_deviation(network: Classifier, images: Tensor) -> tuple[Tensor, Tensor]:
    """Of the features (128,) over all images, on the network's device."""
    device = next(network.parameters()).device
    moments = Moments(DIMENSION)
    with torch.inference_mode(), full_float32():
        for part in images.split(_PART):
            moments.add(network.features(prepare(part.to(device))))
    found = moments.statistics()
    deviation = found.covariance.diagonal().sqrt()
    if not (deviation > 0).all():
        raise EngineError("the classifier has learned nothing: a feature is the same for all images")
    return found.mean.float().to(device), deviation.float().to(device)


def _write(path: Path, blob: bytes) -> None:
    """Whole or not there."""
    try:
        with atomic.replacing(path, synced=True) as aside:
            aside.write_bytes(blob)
    except OSError as error:
        raise EngineError(f"{shown(path)} cannot be written: {error.strerror or error}") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as the command line says; JSON lines on standard output."""
    parser = argparse.ArgumentParser(description="Train the digit classifier; prints JSON lines.")
    parser.add_argument("--out", type=Path, required=True, help="file of the weights")
    parser.add_argument("--data-root", type=Path, required=True, help="where MNIST is, or is downloaded to")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args(arguments)
    asker.end_with_it()
    torch.set_num_threads(1)  # sums over batches would come out otherwise with every number of cores
    work = train_to_file(args.out, args.data_root, seed=args.seed, epochs=args.epochs, device=args.device)
    told = float("-inf")
    try:
        while True:
            progress = next(work)
            if time.monotonic() - told >= 0.25 or progress.done == progress.total:
                told = time.monotonic()
                print(json.dumps(asdict(progress)), flush=True)
    except StopIteration as end:
        print(json.dumps(asdict(end.value)), flush=True)
        return 0
    except EngineError as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
