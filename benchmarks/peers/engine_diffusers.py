"""diffusers' UNet2DModel, the identical function, trained as its example of unconditional images does.

Options, which the example does not take by default: `channels_last`, `fused` (AdamW in one kernel, EMA by
foreach), `workers` (processes that read images), `bf16` (autocast), `compile`; and `settled`, not its own: in
an environment as our runs are started in. DDIMPipeline draws.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import accelerate
import diffusers
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from diffusers import DDIMPipeline, DDIMScheduler, DDPMScheduler, UNet2DModel
from diffusers.optimization import get_scheduler
from diffusers.training_utils import EMAModel
from torch import Tensor
from torch.utils.data import DataLoader

from benchmarks.peers.imagefolder import ImageFolder


class Engine:
    def __init__(self, specification: dict[str, Any], options: list[str]) -> None:
        unknown = set(options) - {"channels_last", "fused", "workers", "bf16", "compile", "settled"}
        if unknown:
            raise ValueError(f"diffusers has no option {', '.join(sorted(unknown))}")
        self._spec, self._options = specification, options
        torch.manual_seed(0)
        self._unet = network(specification)
        if "channels_last" in options:
            self._unet = self._unet.to(memory_format=torch.channels_last)
        fused = True if "fused" in options else None
        self._ema = EMAModel(
            self._unet.parameters(), decay=0.9999, use_ema_warmup=True, inv_gamma=1.0, power=0.75,
            model_cls=UNet2DModel, model_config=self._unet.config, foreach=bool(fused),
        )  # fmt: skip
        optimizer = torch.optim.AdamW(
            self._unet.parameters(), lr=1e-4, betas=(0.95, 0.999), weight_decay=1e-6, eps=1e-8, fused=fused
        )
        self._noising = DDPMScheduler(num_train_timesteps=specification["timesteps"], beta_schedule="linear")
        self._accelerator = Accelerator(cpu=True, mixed_precision="bf16" if "bf16" in options else "no")
        loader = DataLoader(
            ImageFolder(specification), batch_size=specification["batch"], shuffle=True, drop_last=True,
            num_workers=2 if "workers" in options else 0, persistent_workers="workers" in options,
        )  # fmt: skip
        rates = get_scheduler("cosine", optimizer, num_warmup_steps=500, num_training_steps=1_000_000)
        if "compile" in options:
            self._unet.compile()
        self._model, self._optimizer, loader, self._rates = self._accelerator.prepare(
            self._unet, optimizer, loader, rates
        )
        self._batches = _forever(loader)

    def step(self) -> int:
        self._model.train()
        clean = next(self._batches)
        if "channels_last" in self._options:
            clean = clean.contiguous(memory_format=torch.channels_last)
        noise = torch.randn(clean.shape, dtype=torch.float32, device=clean.device)
        timesteps = torch.randint(
            0, self._noising.config.num_train_timesteps, (len(clean),), device=clean.device
        ).long()
        noisy = self._noising.add_noise(clean, noise, timesteps)
        with self._accelerator.accumulate(self._model):
            loss = F.mse_loss(self._model(noisy, timesteps).sample.float(), noise)
            self._accelerator.backward(loss)
            if self._accelerator.sync_gradients:
                self._accelerator.clip_grad_norm_(self._model.parameters(), 1.0)
            self._optimizer.step()
            self._rates.step()
            self._optimizer.zero_grad()
        self._ema.step(self._unet.parameters())
        loss.detach().item()  # its progress bar shows it
        return len(clean)

    def draw(self) -> int:
        spec = self._spec
        scheduler = DDIMScheduler(num_train_timesteps=spec["timesteps"], beta_schedule="linear")
        pipeline = DDIMPipeline(self._unet, scheduler)
        pipeline.set_progress_bar_config(disable=True)
        self._model.eval()
        cast = torch.autocast("cpu", torch.bfloat16) if "bf16" in self._options else contextlib.nullcontext()
        with cast:
            images = pipeline(
                batch_size=spec["draw"], num_inference_steps=spec["steps"], eta=0.0, output_type="np"
            ).images
        return len(images)

    def facts(self) -> dict[str, Any]:
        versions = {m.__name__: m.__version__ for m in (torch, diffusers, accelerate)}
        return {
            "versions": versions,
            "parameters": sum(p.numel() for p in self._unet.parameters()),
            "options": self._options,
            "threads": torch.get_num_threads(),
        }

    def agree(self, path: Path) -> float:
        """Takes up the weights in a file; how far what it says differs, relative to the largest it says."""
        from safetensors.torch import load_file

        tensors = load_file(path)
        prefix = "network."
        state = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
        fresh = network(self._spec).eval()
        fresh.load_state_dict(state)
        with torch.no_grad():
            said = fresh(tensors["x"], tensors["t"]).sample
            self._unet.load_state_dict(state)
        return ((said - tensors["out"]).abs().max() / tensors["out"].abs().max()).item()


def network(spec: dict[str, Any]) -> UNet2DModel:
    """The network that computes what ours does, its weights of the same names."""
    attend = [
        spec["image_size"] // 2**level in spec["attention"] for level in range(len(spec["multipliers"]))
    ]
    return UNet2DModel(
        sample_size=spec["image_size"],
        in_channels=spec["image_channels"],
        out_channels=spec["image_channels"],
        layers_per_block=spec["blocks"],
        block_out_channels=[spec["channels"] * m for m in spec["multipliers"]],
        down_block_types=["AttnDownBlock2D" if a else "DownBlock2D" for a in attend],
        up_block_types=["AttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attend)],
        downsample_padding=0,
        flip_sin_to_cos=False,
        freq_shift=1,
        norm_eps=1e-6,
        norm_num_groups=spec["groups"],
        attention_head_dim=None,
    )


def _forever(loader: DataLoader) -> Iterator[Tensor]:
    while True:
        yield from loader
