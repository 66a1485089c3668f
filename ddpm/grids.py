"""Sample grids as PNG files that carry how they were drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import Tensor

from ddpm import images
from ddpm.config import Config

#: Images of a grid: enough to judge, few enough to wait for.
GRID_LIMIT = 64


def settings(config: Config, **more: Any) -> dict[str, str]:
    """How images are drawn, as text for inside a PNG: everything needed to draw them again."""
    sampling = config.sampling.model_dump(mode="json")
    sampling["steps"] = config.sampling.resolved_steps(config.diffusion.timesteps)
    content = {**more, "sampling": sampling, "diffusion": config.diffusion.model_dump(mode="json")}
    return {"Software": "ddpm-tui", "Settings": json.dumps(content)}


def write_grid(path: Path, pixels: Tensor, config: Config, **more: Any) -> None:
    """Writes images, uint8 (N,C,H,W), as one grid, `more` told among its settings."""
    path.parent.mkdir(parents=True, exist_ok=True)
    images.save_png(path, images.grid(pixels), settings(config, **more))
