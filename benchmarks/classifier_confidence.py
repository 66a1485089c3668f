"""How sure a small classifier trained on MNIST is of sampled digits: the eye's judgement as a number.

    python benchmarks/classifier_confidence.py IMAGES [--data DIR]

IMAGES is a folder of 28×28 PNG files, as `ddpm-tui sample RUN -n 1000 --out IMAGES/` writes it. Prints the
mean of the largest class probability, the share of images with one above 0.9 and how often each digit was
seen; the same of MNIST's own test images beside it, as what real digits reach; and of noise, as the floor.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from ddpm import data
from ddpm.config import DataConfig


def classifier() -> nn.Sequential:
    """Two convolutions and two linear layers: some 99 % right on MNIST's test images after three epochs."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.5), nn.Linear(1600, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


def scaled(images: Tensor) -> Tensor:
    """uint8 (N, 1, 28, 28) to float in [-1, 1]."""
    return images.float() / 127.5 - 1


def train(network: nn.Module, images: Tensor, labels: Tensor, epochs: int) -> None:
    """Adam on cross-entropy; the order of images is a fixed one."""
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    generator = torch.Generator().manual_seed(0)
    network.train()
    for _ in range(epochs):
        for part in torch.randperm(len(images), generator=generator).split(128):
            loss = F.cross_entropy(network(scaled(images[part])), labels[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    network.eval()


@torch.no_grad()
def probabilities(network: nn.Module, images: Tensor) -> Tensor:
    """(N, 10), rows summing to one."""
    return torch.cat([network(scaled(part)).softmax(1) for part in images.split(500)])


def report(title: str, table: Tensor) -> None:
    """One line on a set of images."""
    confidence, digit = table.max(1)
    counts = " ".join(f"{c:d}" for c in torch.bincount(digit, minlength=10).tolist())
    sure = (confidence > 0.9).float().mean().item()
    print(f"{title:<14} {len(table):>6} {confidence.mean().item():>10.4f} {sure:>8.1%}   {counts}")


def read_folder(folder: Path) -> Tensor:
    """All PNG files of a folder, by name: uint8 (N, 1, 28, 28)."""
    files = sorted(folder.glob("*.png"))
    if not files:
        raise SystemExit(f"{folder}: no PNG files")
    return torch.stack([torch.from_numpy(np.array(Image.open(f).convert("L")))[None] for f in files])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("images", type=Path, help="folder of 28×28 PNG files")
    parser.add_argument("--data", type=Path, default=Path(), help="data root of MNIST")
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    mnist = DataConfig(dataset="mnist")
    training, test = data.load(mnist, arguments.data), data.load(mnist, arguments.data, "test")
    assert training.labels is not None
    assert test.labels is not None
    network = classifier()
    train(network, training.images, training.labels, arguments.epochs)
    real = probabilities(network, test.images)
    print(f"accuracy on MNIST's test images: {(real.argmax(1) == test.labels).float().mean().item():.2%}")
    print(f"{'images':<14} {'N':>6} {'confidence':>10} {'> 0.9':>8}   of each digit, 0 to 9")
    report("samples", probabilities(network, read_folder(arguments.images)))
    report("MNIST test", real)
    noise = torch.randint(256, (1000, 1, 28, 28), generator=torch.Generator().manual_seed(1))
    report("noise", probabilities(network, noise.to(torch.uint8)))


if __name__ == "__main__":
    main()
