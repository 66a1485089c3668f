"""How near Noise2Same, which sees noisy images alone, comes to the same network trained with clean ones.

    python -m benchmarks.noise2same --data DIR --work DIR --json FILE [--seeds 3] [--steps 1000]

Trains one small network on MNIST's training images in three ways (`training.objective`: noise2same,
noise2noise, supervised) for each kind of noise and each seed, and tells PSNR and SSIM of what it makes of the
first test images, with noise of their own, the same for all. Kinds of noise: `hanzi`, that of the HanZi data
in Xie et al. 2020 (half of the pixels black, then a standard deviation of 0.7 of the range from black to
white); `gaussian`, the same without black pixels; and, if asked for, `mild`, a standard deviation of 0.35.
The runs go into the folder of --work: what is there is not done again, and a training that was interrupted
goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ddpm import atomic, checkpoint, data, subject
from ddpm.config import Config, DataConfig
from ddpm.configfiles import dumps, override, resolve
from ddpm.events import Metrics
from ddpm.images import to_uint8
from ddpm.randomness import derive
from ddpm.restoration.denoising import denoised, noisy
from ddpm.restoration.quality import psnr, ssim
from ddpm.training import Training

OBJECTIVES = ("noise2same", "noise2noise", "supervised")
#: Noise, and the lambda and share of hidden pixels that suit it, found with few steps of one seed.
KINDS = {
    "hanzi": ("denoising.sigma=0.7", "denoising.dropped=0.5", "denoising.invariance=1.8"),
    "gaussian": ("denoising.sigma=0.7", "denoising.dropped=0", "denoising.invariance=1.8"),
    "mild": (
        "denoising.sigma=0.35", "denoising.dropped=0", "denoising.invariance=1.2", "denoising.hidden=0.05"
    ),
}  # fmt: skip
SETTINGS = (
    "model.channels=8", "model.multipliers=1,2,4", "model.blocks=1", "model.attention=", "model.dropout=0",
    "training.batch_size=32", "training.learning_rate=2e-3", "training.warmup_steps=100",
    "training.decay=cosine", "training.ema_decay=0.99", "training.checkpoint_every=250",
    "training.keep_checkpoints=1", "training.sample_every=0", "training.precision=float32",
)  # fmt: skip

Result = dict[str, Any]


def configuration(kind: str, objective: str, seed: int, changes: list[str]) -> Config:
    own = [f"training.objective={objective}", f"training.seed={seed}"]
    return override(resolve("mnist")[0], [*SETTINGS, *KINDS[kind], *own, *changes])


def train(config: Config, root: Path, folder: Path) -> float:
    """Until the last step, from where an earlier attempt came to; the seconds this one took."""
    begin = time.perf_counter()
    for event in Training(config, folder, device="cpu", data_root=root):
        if isinstance(event, Metrics) and event.step % 250 == 0:
            print(f"  {folder.name}: step {event.step}, loss {event.loss:.4f}", file=sys.stderr, flush=True)
    return time.perf_counter() - begin


def degraded(images: Tensor, config: Config) -> Tensor:
    """Test images, uint8 (N,1,28,28), as network values with noise that no training has."""
    numbers = torch.arange(len(images))
    return noisy(images.float() / 127.5 - 1, numbers, config.denoising, derive(0, "test noise"))


def quality(x: Tensor, truth: Tensor) -> Result:
    """Means over images; x in [-1, 1] or beyond, truth uint8, (N,1,28,28)."""
    similarity = ssim(to_uint8(x), truth)
    assert similarity is not None
    return {"psnr": float(psnr(to_uint8(x), truth).mean()), "ssim": float(similarity.mean())}


def judged(config: Config, folder: Path, truth: Tensor) -> Result:
    step = checkpoint.steps(folder)[-1]
    found = subject.from_checkpoint(checkpoint.folder(folder, step), config, torch.device("cpu"))
    parts = degraded(truth, config).split(100)
    return quality(torch.cat([denoised(found.network, part) for part in parts]), truth)


def result_of(kind: str, objective: str, seed: int, changes: list[str], args: argparse.Namespace) -> Result:
    """Of one training, done now unless it is there; its folder is named by all that it depends on."""
    config = configuration(kind, objective, seed, changes)
    digest = hashlib.sha256(dumps(config).encode()).hexdigest()[:8]
    folder = args.work / f"{kind}-{objective}-{seed}-{digest}"
    file = folder / f"result-{args.images}.json"
    if file.exists():
        return json.loads(file.read_text())
    folder.mkdir(parents=True, exist_ok=True)
    seconds = train(config, args.data, folder)
    found = judged(config, folder, args.truth)
    result = {"noise": kind, "objective": objective, "seed": seed, **found, "seconds": round(seconds, 1)}
    with atomic.replacing(file) as aside:
        aside.write_text(json.dumps(result))
    print(json.dumps(result), file=sys.stderr, flush=True)
    return result


def spread(values: list[float]) -> float | None:
    """Sample standard deviation; None for one value."""
    return statistics.stdev(values) if len(values) > 1 else None


def summary(results: list[Result], kind: str) -> list[Result]:
    """A row for each objective; `gap`: dB above supervised with the same seed."""
    rows = []
    best = {r["seed"]: r["psnr"] for r in results if r["noise"] == kind and r["objective"] == "supervised"}
    for objective in OBJECTIVES:
        mine = [r for r in results if r["noise"] == kind and r["objective"] == objective]
        if mine:
            values = {key: [r[key] for r in mine] for key in ("psnr", "ssim")}
            values["gap"] = [r["psnr"] - best[r["seed"]] for r in mine if r["seed"] in best]
            row = {"noise": kind, "objective": objective, "seeds": len(mine)}
            for key, found in values.items():
                row |= {key: statistics.mean(found) if found else None, f"{key}_spread": spread(found)}
            rows.append(row)
    return rows


def told(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def show(rows: list[Result], entry: Result) -> None:
    kind = rows[0]["noise"]
    print(f"\n{kind + ', ' + str(entry['images']) + ' test images':28}{'PSNR dB':>9}{'± seeds':>9}"
          f"{'SSIM':>9}{'± seeds':>9}{'gap dB':>9}{'± seeds':>9}")  # fmt: skip
    print(f"{'noisy input':28}{told(entry['psnr'], 2):>9}{'':>9}{told(entry['ssim'], 3):>9}")
    for row in rows:
        cells = [told(row["psnr"], 2), told(row["psnr_spread"], 2), told(row["ssim"], 3),
                 told(row["ssim_spread"], 3), told(row["gap"], 2), told(row["gap_spread"], 2)]  # fmt: skip
        print(f"{row['objective']:28}" + "".join(f"{cell:>9}" for cell in cells), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="data root of MNIST")
    parser.add_argument("--work", type=Path, required=True, help="folder of the trainings, kept")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--images", type=int, default=1000, help="test images")
    parser.add_argument("--noise", nargs="+", choices=[*KINDS], default=["hanzi", "gaussian"])
    parser.add_argument("--objective", nargs="+", choices=OBJECTIVES, default=OBJECTIVES)
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="other settings")
    args = parser.parse_args()
    changes = [f"training.steps={args.steps}", *args.set]
    args.truth = data.load(DataConfig(dataset="mnist"), args.data, "test").images[: args.images]
    found: dict[str, list[Result]] = {"inputs": [], "summary": [], "runs": []}
    for kind in args.noise:
        config = configuration(kind, "supervised", 0, changes)
        entry = {
            "noise": kind,
            "images": len(args.truth),
            **quality(degraded(args.truth, config), args.truth),
        }
        runs = [
            result_of(kind, objective, seed, changes, args)
            for seed in range(args.seeds)
            for objective in args.objective
        ]
        rows = summary(runs, kind)
        show(rows, entry)
        found["inputs"].append(entry)
        found["summary"] += rows
        found["runs"] += runs
    if args.json:
        settings = {"settings": [*SETTINGS, *changes], "noise": {kind: KINDS[kind] for kind in args.noise}}
        args.json.write_text(json.dumps({**settings, **found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
