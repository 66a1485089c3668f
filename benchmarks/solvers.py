"""FID against network evaluations (NFE) for every solver, of one trained network.

    python -m benchmarks.solvers RUN DATA --keep DIR [--samples 2000] [--only SOLVER …]
                                 [--nfe 5 10 20 50 1000] [--spacing NAME] [--weights FILE]

RUN is a run directory with a checkpoint. A solver takes as many steps as the evaluations allow: Heun's 10
evaluations are 5 steps and take 9. All draw the images of the same seed, DDIM and DPM-Solver++ 2M both
without fresh noise (eta 0) and with as much as DDPM's smaller variance has (eta 1). 1,000 evaluations are for
ddpm. What is done is kept in DIR, batch by batch, so that it can be stopped and continued; the table of all
that is kept is printed at the end. 2,000 images do for ranking: their FID is above that of 10,000.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from ddpm import checkpoint, configfiles
from ddpm.config import Config
from ddpm.config_sampling import Sampler
from ddpm.evaluation.evaluation import Evaluation
from ddpm.evaluation.places import Places
from ddpm.events import Evaluated

SOLVERS = tuple(name for name in get_args(Sampler) if name != "consistency")  # of networks tuned for it
#: The one sampler that is worth so many evaluations, and how many.
LONG, LONG_NFE = "ddpm", 1000
#: How much fresh noise a solver is tried with, where it is to choose.
ETAS = {"ddim": (0.0, 1.0), "dpmpp-2m": (0.0, 1.0)}


@dataclass(frozen=True, slots=True)
class Cell:
    """One number of the table."""

    solver: str
    nfe: int  #: at most; Heun's are one fewer where they are even
    spacing: str
    eta: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.solver}-{self.nfe:04d}-{self.spacing}" + (f"-eta{self.eta:g}" if self.eta else "")

    def config(self, trained: Config, samples: int) -> Config:
        steps = (self.nfe + 1) // 2 if self.solver == "heun" else self.nfe
        values = trained.model_dump()
        values["sampling"] |= {
            "sampler": self.solver, "steps": steps, "spacing": self.spacing, "eta": self.eta, "clip": True,
            "seed": 0, "ema": True, "batch_size": 250,
        }  # fmt: skip
        values["evaluation"] |= {"samples": samples, "companions": False, "convention": "tensorflow"}
        return configfiles.build(values)


def cells(solvers: Sequence[str], evaluations: Sequence[int], spacing: str) -> Iterator[Cell]:
    """In the order in which they are done: the cheap ones first."""
    for nfe in sorted(evaluations):
        for solver in solvers:
            if nfe < LONG_NFE or solver == LONG:
                for eta in ETAS.get(solver, (0.0,)):
                    yield Cell(solver, nfe, spacing if nfe < LONG_NFE else "uniform", eta)


def table(kept: Sequence[dict[str, Any]]) -> list[str]:
    """Markdown: a row for each solver and spacing, a column for each number of evaluations."""
    found = {(r["solver"], r.get("eta", 0.0), r["spacing"], r["nfe"]): r["fid"] for r in kept}
    columns = sorted({nfe for *_, nfe in found})
    rows = sorted({key[:3] for key in found}, key=lambda r: (r[2], SOLVERS.index(r[0]), r[1]))
    lines = [
        "| solver | spacing | " + " | ".join(f"{nfe:,}" for nfe in columns) + " |",
        "| --- | --- |" + " ---: |" * len(columns),
    ]
    for solver, eta, spacing in rows:
        scores = (found.get((solver, eta, spacing, nfe)) for nfe in columns)
        texts = ("" if score is None else f"{score:.2f}" for score in scores)
        title = f"{solver}, eta {eta:g}" if eta else solver
        lines.append(f"| {title} | {spacing} | " + " | ".join(texts) + " |")
    return lines


def measure(cell: Cell, trained: Config, samples: int, folder: Path, places: Places, keep: Path) -> None:
    """Scores one cell, unless it is kept."""
    path = keep / f"{cell.name}.json"
    if path.exists():
        return
    config = cell.config(trained, samples)
    for event in Evaluation(config, folder, keep / cell.name, places=places, device="cpu"):
        if isinstance(event, Evaluated):
            record = {
                "solver": cell.solver, "nfe": cell.nfe, "spacing": cell.spacing, "eta": cell.eta,
                "evaluations": config.sampling.evaluations(config.diffusion.timesteps),
                "fid": event.fid, "classifier_fd": event.classifier_fd, "samples": samples,
                "protocol": event.protocol,
            }  # fmt: skip
            path.write_text(json.dumps(record, indent=1))
            print(f"{cell.name}: FID {event.fid:.2f}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, help="run directory of a trained diffusion model")
    parser.add_argument("data", type=Path, help="folder of the data sets")
    parser.add_argument("--keep", type=Path, required=True, help="folder of what is done")
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--only", nargs="+", choices=SOLVERS, default=list(SOLVERS))
    parser.add_argument("--nfe", nargs="+", type=int, default=[5, 10, 20, 50, LONG_NFE])
    parser.add_argument("--spacing", default="uniform")
    parser.add_argument("--weights", type=Path, help="file of the FID Inception weights")
    args = parser.parse_args()
    trained = configfiles.load(args.run / "config.toml")
    folder = checkpoint.whole(args.run)[-1].path
    args.keep.mkdir(parents=True, exist_ok=True)
    places = Places(args.data, args.weights, args.keep / "weights", args.keep / "references")
    for cell in cells(args.only, args.nfe, args.spacing):
        measure(cell, trained, args.samples, folder, places, args.keep)
    print("\n".join(table([json.loads(p.read_text()) for p in sorted(args.keep.glob("*.json"))])))


if __name__ == "__main__":
    main()
