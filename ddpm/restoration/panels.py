"""Pictures of the first images of a restoration: degraded, restored, truth and spread."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ddpm.config import Config
from ddpm.images import grid, read_png_text, save_png, to_uint8
from ddpm.restoration.cases import Case
from ddpm.samplers.steps import SampleStep

#: Images shown: enough to judge, and each large enough in a terminal.
LIMIT = 16
#: Steps of the first batch that leave a frame each.
_FRAMES = 32
#: Longest side of a picture of one image.
_SIDE = 256


def settings(config: Config, **more: Any) -> dict[str, str]:
    """How an image was restored, as text for inside a PNG."""
    content = {**more, "restoration": config.restoration.model_dump(mode="json", exclude_none=True)}
    return {"Software": "ddpm-tui", "Settings": json.dumps(content)}


class Panels:
    """Grids of the first LIMIT images of one size, in frames/ and samples/sheet.png of a run."""

    SHEET = "samples/sheet.png"
    NAMES = ("degraded", "restored", "truth", "spread")

    def __init__(self, directory: Path, config: Config) -> None:
        self._directory, self._config = directory, config
        self._samples = config.restoration.samples
        self._size = (0, 0)
        self._count = 0
        self._parts: dict[str, Tensor] = {}

    def begin(self, group: list[Case]) -> bool:
        """Shows what is restored first; False for a later group, or where an earlier process did so."""
        if self._parts or (self._directory / self.SHEET).exists():
            return False
        shown = group[:LIMIT]
        self._size, self._count = shown[0].size, len(shown)
        self._show("degraded", torch.stack([case.degraded(self._config) for case in shown]))
        truths = [case.truth for case in shown if case.truth is not None]
        if len(truths) == len(shown):
            self._show("truth", torch.stack(truths))
        return True

    def frames(self, step: SampleStep) -> tuple[str | None, str | None]:
        """Paths of what the state and the prediction look like after a step, where it is one to be shown."""
        every = -(-step.total // _FRAMES)
        if step.index % every and step.index not in (1, step.total):
            return None, None
        return self._frame(step, "xt", step.x_t), self._frame(step, "x0", step.x_0)

    def end(self, group: list[Case], mean: Tensor, spread: Tensor | None, **more: Any) -> None:
        """Shows how the first group came out, and the sheet: a row each of what there is."""
        self._show("restored", mean[: self._count])
        if spread is not None:
            self._show("spread", _stretched(spread[: self._count]))
        rows = [
            self._parts[name] for name in ("truth", "degraded", "restored", "spread") if name in self._parts
        ]
        columns = min(self._count, 8)
        sheet = grid(torch.cat([row[:columns] for row in rows]), columns, gap=2)
        path = self._directory / self.SHEET
        path.parent.mkdir(exist_ok=True)
        save_png(path, sheet, settings(self._config, shown=columns, **more))

    def paths(self) -> dict[str, str | None]:
        """Of the pictures that there are, relative to the run's directory, by name."""
        found = {name: f"frames/{name}.png" for name in self.NAMES}
        return {name: path if (self._directory / path).exists() else None for name, path in found.items()}

    def shown(self) -> int:
        """Images on the sheet."""
        path = self._directory / self.SHEET
        return json.loads(read_png_text(path)["Settings"])["shown"] if path.exists() else 0

    def _show(self, name: str, images: Tensor) -> None:
        height, width = self._size
        self._parts[name] = _small(images[..., :height, :width])
        self._save(f"frames/{name}.png", self._parts[name])

    def _frame(self, step: SampleStep, kind: str, x: Tensor) -> str:
        height, width = self._size
        relative = f"frames/{step.index:04d}-{kind}.png"
        own = x[:: self._samples][: self._count]  # the first restoration of each
        self._save(relative, _small(own[..., :height, :width].float().cpu()))
        return relative

    def _save(self, relative: str, pixels: Tensor) -> None:
        path = self._directory / relative
        path.parent.mkdir(exist_ok=True)
        save_png(path, grid(pixels))


def _small(images: Tensor) -> Tensor:
    """uint8, of sides of at most _SIDE; (N,C,H,W) in [-1, 1]."""
    height, width = images.shape[-2:]
    scale = _SIDE / max(height, width)
    if scale < 1:
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        images = F.interpolate(images, size, mode="bilinear", antialias=True)
    return to_uint8(images)


def _stretched(spread: Tensor) -> Tensor:
    """Standard deviations (in units of [-1, 1]) as brightness: black is none, white a half of the range."""
    return spread.mean(1, keepdim=True).expand_as(spread) * 2 - 1
