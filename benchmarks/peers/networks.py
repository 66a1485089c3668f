"""What all engines are measured on: two networks, and the same images as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ddpm.config import Config
from ddpm.configfiles import override, resolve

#: Preset and settings: the `mnist` preset's network, and that of `cifar10` at a quarter of its width.
NETWORKS: dict[str, tuple[str, tuple[str, ...]]] = {
    "mnist": ("mnist", ()),
    "cifar-2m": ("cifar10", ("model.channels=32", "model.dropout=0", "data.flip=false")),
}
#: Images in the folder that each engine reads.
IMAGES = 512
DDIM_STEPS = 50


def configuration(name: str, folder: Path, batch: int) -> Config:
    """Our configuration of a network, learning from the images in `folder` in batches of `batch`."""
    preset, settings = NETWORKS[name]
    config, _ = resolve(preset, settings)
    channels, size, _ = config.data.shape
    where = (
        f"data.root={folder}",
        "data.dataset=folder",
        f"data.image_size={size}",
        f"data.channels={channels}",
    )
    return override(config, [*where, f"training.batch_size={batch}", "training.log_every=1"])


def specification(name: str, folder: Path, batch: int, draw: int, threads: int | None) -> dict[str, Any]:
    """All that a worker is told, plain JSON; "config" is for ours.

    batch: images of a training step; draw: images drawn at once; threads: None leaves them to torch.
    """
    from ddpm.sizes import parameters
    from ddpm.unet import group_count

    config = configuration(name, folder, batch)
    model, (channels, size, _) = config.model, config.data.shape
    return {
        "network": name, "config": config.to_dict(), "folder": str(folder), "threads": threads,
        "batch": batch, "draw": draw, "steps": DDIM_STEPS,
        "image_channels": channels, "image_size": size, "channels": model.channels,
        "multipliers": list(model.multipliers), "blocks": model.blocks, "attention": list(model.attention),
        "groups": group_count(model.channels), "parameters": parameters(config),
        "timesteps": config.diffusion.timesteps, "learning_rate": config.training.learning_rate,
    }  # fmt: skip


def write_images(name: str, home: Path) -> Path:
    """A folder with IMAGES PNG files of noise in the network's shape; made once."""
    import numpy as np
    from PIL import Image

    preset, settings = NETWORKS[name]
    channels, size, _ = resolve(preset, settings)[0].data.shape
    folder = home / "images" / name
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    for number in range(IMAGES):
        pixels = generator.integers(0, 256, (size, size, channels), dtype=np.uint8)
        path = folder / f"{number:04d}.png"
        if not path.exists():
            Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(path)
    return folder
