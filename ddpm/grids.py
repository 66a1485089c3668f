"""Grids as PNG files that carry how they were made: of samples, or of what a denoiser does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ddpm import images
from ddpm.config import Config
from ddpm.restoration.denoising import pairs
from ddpm.sampling import batches, labels_of
from ddpm.subject import Subject

#: Images of a grid: enough to judge, few enough to wait for.
GRID_LIMIT = 64
#: Of a denoiser's grid, where each is there noisy and denoised.
PAIR_LIMIT = 36


def settings(config: Config, **more: Any) -> dict[str, str]:
    """How images are made, as text for inside a PNG: everything needed to make them again."""
    if not config.diffuses:
        training = {"objective": config.training.objective, "seed": config.training.seed}
        how = {"training": training, "denoising": config.denoising.model_dump(mode="json")}
    else:
        sampling = config.sampling.model_dump(mode="json", exclude={"compile"})  # which changes no image
        sampling["steps"] = config.sampling.resolved_steps(config.diffusion.timesteps)
        how = {"sampling": sampling, "diffusion": config.diffusion.model_dump(mode="json")}
    return {"Software": "ddpm-tui", "Settings": json.dumps({**more, **how})}


def write_grid(path: Path, pixels: Tensor, config: Config, **more: Any) -> None:
    """Writes images, uint8 (N,C,H,W), as one grid, by class where there are any; its settings tell `more`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = None
    if config.diffuses:
        pixels, columns = by_class(pixels, config)
    images.save_png(path, images.grid(pixels, columns), settings(config, **more))


def shown(config: Config, count: int) -> int:
    """How many of `count` images a grid has: all, or the first up to GRID_LIMIT that fill rows of classes."""
    if count <= GRID_LIMIT:
        return count
    rows = len(config.sampling.labels) or config.model.classes or 1
    return GRID_LIMIT - GRID_LIMIT % rows if rows <= GRID_LIMIT else GRID_LIMIT


def by_class(pixels: Tensor, config: Config) -> tuple[Tensor, int | None]:
    """The first images of a seed, uint8 (N,C,H,W), and how many make a row: a row for each class, in the
    order in which they are drawn, where there are classes. What a row lacks is black."""
    labels = labels_of(config, torch.arange(len(pixels)))
    if labels is None:
        return pixels, None
    rows = list(dict.fromkeys(labels.tolist()))
    columns = max(int((labels == label).sum()) for label in rows)
    sheet = torch.zeros(len(rows), columns, *pixels.shape[1:], dtype=pixels.dtype)
    for row, label in enumerate(rows):
        own = pixels[labels == label]
        sheet[row, : len(own)] = own
    return sheet.flatten(0, 1), columns


def pictures(
    subject: Subject,
    config: Config,
    first: Callable[[int], tuple[Tensor, Tensor]],
    stopped: Callable[[], bool],
) -> Tensor | None:
    """What a training shows of itself, uint8 (N,C,H,W): the first images of the sampling seed, or for a
    denoiser the `first` images of its data set (and their numbers), noisy and denoised side by side.

    None where `stopped` said so meanwhile.
    """
    count = config.sampling.count
    if not config.diffuses:
        return pairs(subject, config, *first(min(count, PAIR_LIMIT)))
    parts = []
    for numbers in batches(config.sampling, shown(config, count)):
        for sample in subject.draw(config, numbers):
            if stopped():
                return None
            x = sample.x_t
        parts.append(images.to_uint8(x.cpu()))
    return torch.cat(parts)
