"""Restored test images of every degradation: PSNR and SSIM of the input, of classical methods, of DDRM.

    python -m benchmarks.restoration RUN DATA --keep DIR [--images 1000] [--samples 4] [--only TASK …]
                                     [--denoiser RUN] [--pictures DIR]

RUN is a run directory with a checkpoint of a model of mnist or cifar10. Each classical method's settings are
chosen on training images. With --samples DDRM restores the first 200 images so often, for the mean of its
restorations beside a single one. What is done is kept in DIR, so that it can be stopped and continued; the
table of all that is kept is printed at the end. With --denoiser a run trained by `training.objective` takes
part in denoising at the noise it has learned.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks import classical
from ddpm import checkpoint, configfiles, data, subject
from ddpm.config import Config
from ddpm.images import grid, save_png, to_uint8
from ddpm.randomness import derive, normal
from ddpm.restoration import restoring, tasks
from ddpm.restoration.degradation import Degradation
from ddpm.restoration.quality import EQUAL, psnr, ssim

#: What is undone, by the name of its files.
TASKS: dict[str, tuple[str, dict[str, Any]]] = {
    "denoise-10": ("noise σ 0.1", {"task": "denoise", "sigma": 0.1}),
    "denoise-20": ("noise σ 0.2", {"task": "denoise", "sigma": 0.2}),
    "denoise-35": ("noise σ 0.35", {"task": "denoise", "sigma": 0.35}),
    "inpaint-box": ("a box of 25 % hidden", {"task": "inpaint", "mask": "box"}),
    "inpaint-random": ("50 % of the pixels hidden", {"task": "inpaint", "mask": "random"}),
    "shrunk-2": ("×2 smaller (averages)", {"task": "super-resolution", "scale": 2}),
    "shrunk-4": ("×4 smaller (averages)", {"task": "super-resolution", "scale": 4}),
    "shrunk-2-bicubic": ("×2 smaller (bicubic)", {"task": "super-resolution", "filter": "bicubic"}),
    "shrunk-4-bicubic": (
        "×4 smaller (bicubic)",
        {"task": "super-resolution", "scale": 4, "filter": "bicubic"},
    ),
    "blur-uniform": ("blur 5×5, noise σ 0.02", {"task": "deblur", "kernel": "uniform", "sigma": 0.02}),
    "blur-gaussian": ("Gaussian blur 1.5, noise σ 0.02", {"task": "deblur", "sigma": 0.02}),
    "blur-anisotropic": (
        "Gaussian blur 3×1, noise σ 0.02",
        {"task": "deblur", "kernel": "anisotropic", "sigma": 0.02},
    ),
    "grey": ("colour lost", {"task": "colorize"}),
    "sensed": ("25 % random measurements", {"task": "compressed-sensing", "ratio": 0.25}),
}
#: Training images that a classical method's settings are chosen on.
CHOSEN_ON = 100
COLUMNS = 8
#: Test images that are restored several times.
SEVERAL = 200


@dataclass
class Bench:
    config: Config
    source: subject.Subject
    denoiser: tuple[Config, subject.Subject] | None
    train: Tensor  #: uint8 (N,C,H,W)
    test: Tensor
    keep: Path
    samples: int

    def images(self, name: str, method: str, work: Any) -> tuple[Tensor, float]:
        """What `work` gives (uint8, seconds), or gave before."""
        path = self.keep / f"{name}-{method}.npz"
        if not path.exists():
            begin = time.perf_counter()
            images = work()
            np.savez_compressed(path, images=images.numpy(), seconds=time.perf_counter() - begin)
            print(f"{name} {method}: {time.perf_counter() - begin:.0f} s", file=sys.stderr, flush=True)
        with np.load(path, allow_pickle=False) as stored:
            return torch.from_numpy(stored["images"]), float(stored["seconds"])

    def task(self, name: str) -> None:
        title, values = TASKS[name]
        config = configfiles.build(
            {**self.config.model_dump(), "restoration": {**values, "degrade": True, "batch_size": 128}}
        )
        degradation = tasks.degradation(config.restoration, config.data.shape)
        measured = _measured(config, degradation, self.test)
        record: dict[str, Any] = {"title": title, "images": len(self.test), "steps": 20, "methods": {}}
        told = record["methods"]
        shown = to_uint8(tasks.as_image(config.restoration, degradation, measured))
        told["input"] = self._quality(shown, 0.0)
        chosen, images, seconds = self._classical(name, config, degradation, measured)
        told["classical"] = {"name": chosen, **self._quality(images, seconds)}
        rows = [self.test, shown, images]
        single, seconds = self.images(name, "ddrm-0", lambda: self._restore(config, degradation, measured, 0))
        told["ddrm"] = self._quality(single, seconds)
        rows.append(single)
        if self.samples > 1:
            parts = [single[:SEVERAL]]
            for sample in range(1, self.samples):
                part, _ = self.images(
                    name,
                    f"ddrm-{sample}",
                    lambda s=sample: self._restore(config, degradation, measured[:SEVERAL], s),
                )
                parts.append(part)
            stack = torch.stack(parts).float()
            mean = (stack.mean(0) + 0.5).to(torch.uint8)
            record["mean"] = {
                "of": self.samples,
                "images": len(mean),
                "psnr": self._quality(mean, 0.0)["psnr"],
                "single_psnr": self._quality(parts[0], 0.0)["psnr"],
            }
            spread = (2 * stack.std(0, correction=0)).clamp(max=255).to(torch.uint8)
            rows += [mean, spread]
        if self.denoiser and _noise(self.denoiser[0]) == values.get("sigma"):
            told["denoiser"] = {
                "name": self.denoiser[0].training.objective,
                **self._quality(*self.images(name, "denoiser", lambda: self._denoise(measured))),
            }
        (self.keep / f"{name}.json").write_text(json.dumps(record, indent=1))
        save_png(self.keep / f"{name}.png", _sheet(rows))

    def _quality(self, images: Tensor, seconds: float) -> dict[str, float | None]:
        truth = self.test[: len(images)]
        similar = ssim(images, truth)
        return {
            "psnr": float(psnr(images, truth).clamp(max=EQUAL).mean()),
            "ssim": None if similar is None else float(similar.mean()),
            "milliseconds": 1000 * seconds / len(images),
        }

    def _classical(
        self, name: str, config: Config, degradation: Degradation, measured: Tensor
    ) -> tuple[str, Tensor, float]:
        candidates = classical.methods(config.restoration, degradation)
        path = self.keep / f"{name}-classical.txt"
        if not path.exists():
            train = self.train[:CHOSEN_ON]
            given = _for_classical(config, degradation, _measured(config, degradation, train))
            path.write_text(classical.best(candidates, given, _plain(train.float() / 255))[0])
        chosen = path.read_text()

        def work() -> Tensor:
            given = _for_classical(config, degradation, measured)
            found = [classical.restored(candidates[chosen], image) for image in given]
            stack = torch.from_numpy(np.stack(found)).float()
            stack = stack[:, None] if stack.ndim == 3 else stack.permute(0, 3, 1, 2)
            return to_uint8(stack * 2 - 1)

        return chosen, *self.images(name, "classical", work)

    def _restore(self, config: Config, degradation: Degradation, measured: Tensor, sample: int) -> Tensor:
        """Sample number `sample` of four of each image."""
        sigma = 2 * (config.restoration.resolved_sigma or 0.0)
        numbers = torch.arange(len(measured)) * 4 + sample
        found = []
        for part in torch.arange(len(measured)).split(config.restoration.batch_size):
            *_, last = restoring.restore(
                self.source.network, config, degradation, measured[part], sigma, numbers[part]
            )
            found.append(to_uint8(last.x_t.clamp(-1, 1)))
        return torch.cat(found)

    def _denoise(self, measured: Tensor) -> Tensor:
        assert self.denoiser is not None
        from ddpm.restoration.denoising import denoised

        return torch.cat([to_uint8(denoised(self.denoiser[1].network, part)) for part in measured.split(128)])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, help="run directory of a diffusion model")
    parser.add_argument("data", type=Path, help="folder of its data set")
    parser.add_argument("--keep", type=Path, required=True, help="folder for what is done")
    parser.add_argument("--images", type=int, default=1000, help="test images")
    parser.add_argument("--samples", type=int, default=1, help="DDRM's restorations of an image, at most 4")
    parser.add_argument("--only", nargs="+", choices=TASKS, metavar="TASK", help=f"of {', '.join(TASKS)}")
    parser.add_argument("--denoiser", type=Path, help="run directory of a denoiser")
    args = parser.parse_args()
    args.keep.mkdir(parents=True, exist_ok=True)
    config, source = _load(args.run)
    bench = Bench(
        config,
        source,
        _load(args.denoiser) if args.denoiser else None,
        data.load(config.data, args.data, "train").images[:CHOSEN_ON],
        data.load(config.data, args.data, "test").images[: args.images],
        args.keep,
        min(args.samples, 4),
    )
    for name in args.only or TASKS:
        if name != "grey" or config.data.shape[0] == 3:
            bench.task(name)
    print(table([json.loads(p.read_text()) for n in TASKS if (p := args.keep / f"{n}.json").exists()]))


def table(records: list[dict[str, Any]]) -> str:
    """Markdown; PSNR in dB / SSIM, the best PSNR bold."""
    lines = [
        "| degraded by | input | classical | denoiser | DDRM, 20 steps | mean of several |",
        "|---|---|---|---|---|---|",
    ]
    for record in records:
        methods = record["methods"]
        top = max(method["psnr"] for method in methods.values())
        cells = [record["title"]]
        for key in ("input", "classical", "denoiser", "ddrm"):
            found = methods.get(key)
            cells.append("" if found is None else _cell(found, top))
        mean = record.get("mean")
        cells.append("" if mean is None else f"{mean['psnr'] - mean['single_psnr']:+.2f} dB")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(found: dict[str, Any], top: float) -> str:
    value = f"{found['psnr']:.2f}"
    value = f"**{value}**" if found["psnr"] == top else value
    similar = "" if found["ssim"] is None else f" / {found['ssim']:.3f}"
    name = f" ({found['name']})" if "name" in found else ""
    return f"{value}{similar}{name}"


def _load(run: Path) -> tuple[Config, subject.Subject]:
    config = configfiles.load(run / "config.toml")
    newest = checkpoint.whole(run)[-1]
    return config, subject.from_checkpoint(newest.path, config, torch.device("cpu"))


def _noise(config: Config) -> float | None:
    """The noise a denoiser has learned, where it is Gaussian alone."""
    return None if config.denoising.dropped else config.denoising.sigma


def _measured(config: Config, degradation: Degradation, images: Tensor) -> Tensor:
    """As `ddpm-tui restore --degrade` measures the first images of a data set."""
    sigma = 2 * (config.restoration.resolved_sigma or 0.0)
    noise = normal(derive(0, "degrade"), torch.arange(len(images)), 0, degradation.measured)
    return degradation.degrade(images.float() / 127.5 - 1) + sigma * noise


def _for_classical(config: Config, degradation: Degradation, measured: Tensor) -> list[classical.Image]:
    """In [0, 1] and beyond: noise is not cut off, and of compressed sensing it is the pseudo-inverse."""
    if config.restoration.task == "compressed-sensing":
        grey = degradation.pseudo_inverse(degradation.degrade(torch.ones(1, *degradation.shape)))
        return _plain((degradation.pseudo_inverse(measured) + grey) / 2)
    if config.restoration.task in ("denoise", "deblur"):
        return _plain((measured + 1) / 2)
    return _plain((tasks.as_image(config.restoration, degradation, measured) + 1) / 2)


def _plain(images: Tensor) -> list[classical.Image]:
    arrays = images.double().permute(0, 2, 3, 1).numpy()
    return [array[..., 0] if array.shape[2] == 1 else array for array in arrays]


def _sheet(rows: list[Tensor]) -> np.ndarray:
    """Rows: truth, degraded, classical, DDRM, mean, spread; three times as large."""
    pixels = grid(torch.cat([row[:COLUMNS] for row in rows]), COLUMNS, gap=1)
    return pixels.repeat(3, 0).repeat(3, 1)


if __name__ == "__main__":
    main()
