"""What a training has reached, as docs/results/ keeps it: figures, samples, weights.

    python -m benchmarks.result RUN NAME [--seeds RUN…] [--home DIR] [--out docs/results]

RUN is a training whose last checkpoint was evaluated in both conventions (`ddpm-tui evaluate RUN`, and the
same with `--convention pytorch-fid`). Writes NAME.json, NAME.png (the first samples of the
evaluation) and NAME/, the averaged weights in bfloat16, which `ddpm-tui import NAME/` takes and which draw as
they did for the evaluation. Of evaluations in one convention the one with the most images counts, of those
the latest. What was not measured is null. `--seeds` are trainings that differ by their seed alone, evaluated
alike: their FID is told beside.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ddpm import configfiles, schedules
from ddpm.config import Config
from ddpm.samplers.levels import time_grid
from runs import home
from runs.carrying import export
from runs.catalogue import Catalogue
from runs.directory import RunDirectory
from runs.rows import EvaluationRow, RunDetail

#: Of [sampling], what decides how good images are.
DRAWN_BY = (
    *("sampler", "steps", "eta", "spacing", "rho", "clip"),
    *("guidance", "guidance_step", "guidance_class", "guidance_from", "guidance_to"),
)
#: Of [training], what changes nothing of the network.
RECORDED = ("log_every", "checkpoint_every", "keep_checkpoints", "milestone_every", "sample_every")
SCORES = ("kid", "kid_error", "precision", "recall", "density", "coverage", "classifier_fd")


def training_hours(events: Iterable[Mapping[str, Any]]) -> float:
    """Wall time of a training by its record: from each start to the last that it told before the next one."""
    seconds, began, last = 0.0, None, None
    for event in events:
        at = datetime.fromisoformat(event["time"])
        if event["event"] == "started":
            seconds += (last - began).total_seconds() if began and last else 0.0
            began = at
        last = at
    return (seconds + ((last - began).total_seconds() if began and last else 0.0)) / 3600


def decisive(rows: Sequence[EvaluationRow], step: int, convention: str) -> EvaluationRow | None:
    """Of the evaluations of a step in a convention the one with the most images, of those the latest."""
    fitting = [row for row in rows if row.step == step and row.fid_protocol.convention == convention]
    return max(fitting, key=lambda row: (row.samples or 0, row.created_at or ""), default=None)


def summary(
    training: RunDetail,
    config: Config,
    hours: float,
    evaluated: Sequence[tuple[EvaluationRow, int, Sequence[str]]],
) -> dict[str, Any]:
    """What is written.

    evaluated: with each evaluation, network evaluations an image took and the command that made it.
    """
    row, step = training.row, training.row.step or 0
    of = {id(found): (nfe, command) for found, nfe, command in evaluated}
    rows = [found for found, _, _ in evaluated]
    main, other = (decisive(rows, step, name) for name in ("tensorflow", "pytorch-fid"))
    if main is None:
        sys.exit(f"{row.name}: step {step} was not evaluated yet: ddpm-tui evaluate {row.name}")
    commands = [training.command, *(of[id(found)][1] for found in (main, other) if found is not None)]
    return {
        "dataset": config.data.dataset,
        "fid": main.fid,
        "fid_pytorch": None if other is None else other.fid,
        "floor": (main.floor or {}).get("fid"),
        "floor_pytorch": None if other is None else (other.floor or {}).get("fid"),
        "floor_classifier_fd": (main.floor or {}).get("classifier_fd"),
        "samples": main.samples,
        "nfe": of[id(main)][0],
        **{name: getattr(main, name) for name in SCORES},
        "bits_per_dim": {
            part.split: {"mean": part.bits_per_dim, "error": part.error, "images": part.done}
            for part in training.likelihood
        },
        "protocol": main.protocol,
        "protocol_id": main.protocol_id,
        "class_conditional": bool(config.model.classes),
        "parameters": training.parameters,
        "hardware": training.device_name,
        "training_hours": round(hours, 3),
        "images_seen": row.images_seen,
        "steps": step,
        "note": training.notes,
        "command": " && ".join(shlex.join(command) for command in commands),
        "seeds": [config.training.seed],
        "fid_of_seeds": {str(config.training.seed): main.fid},
        "packages": training.provenance.get("packages"),
        "fid_over_images": sorted(
            [found.images_seen, found.fid, found.samples, of[id(found)][0]]
            for found in rows
            if found.fid_protocol.convention == "tensorflow" and found.images_seen is not None
        ),
    }


def evaluations(config: Config) -> int:
    """NFE: how often a network is asked about an image; at most, of Heun guided in part."""
    sampling, schedule = config.sampling, schedules.make(config.diffusion)
    if not sampling.guided_in_part or sampling.sampler == "heun":
        return sampling.evaluations(schedule.timesteps)
    grid = time_grid(schedule, sampling.resolved_steps(schedule.timesteps), sampling.spacing, sampling.rho)
    start, end = (part * (schedule.timesteps - 1) for part in (sampling.guidance_from, sampling.guidance_to))
    return len(grid) + sum(start <= time <= end for time in grid)


def gather(catalogue: Catalogue, reference: str) -> tuple[dict[str, Any], Path]:
    """The summary of a training, and the directory of the evaluation that it tells of."""
    training = catalogue.detail(catalogue.find(reference).id)
    place = Path(training.row.path)
    lines = (place / "events.jsonl").read_text(encoding="utf-8").splitlines()
    evaluated, places = [], {}
    for found in training.evaluations:
        by = catalogue.detail(found.run_id)
        if by.row.name.startswith(f"{training.row.name}-try-"):
            continue  # of `benchmarks.stretch`: few images, to choose how to draw
        asked = configfiles.load(Path(by.row.path) / "config.toml")
        evaluated.append((found, evaluations(asked), by.command))
        places[id(found)] = Path(by.row.path)
    config, hours = configfiles.load(place / "config.toml"), training_hours(map(json.loads, lines))
    told = summary(training, config, hours, evaluated)
    main = decisive([row for row, _, _ in evaluated], training.row.step or 0, "tensorflow")
    return told, places[id(main)]  # without one `summary` has ended the program


def add_seed(told: dict[str, Any], config: Config, catalogue: Catalogue, reference: str) -> None:
    """Adds the FID of a training that is configured likewise but for the seed. Ends the program where it is
    not, or was not evaluated as `told` says."""
    other = catalogue.detail(catalogue.find(reference).id)
    name, theirs = other.row.name, configfiles.load(Path(other.row.path) / "config.toml")
    seed = theirs.training.seed
    if seed in told["seeds"]:
        sys.exit(f"{name} is of seed {seed}, which is told already")
    if differing := _differing(config, theirs):
        sys.exit(f"{name} is another training: {', '.join(differing)}")
    alike = [row for row in other.evaluations if row.protocol_id == told["protocol_id"]]
    found = decisive(alike, told["steps"], "tensorflow")
    if found is None:
        sys.exit(f"{name} was not evaluated at step {told['steps']} by the same protocol")
    told["fid_of_seeds"][str(seed)] = found.fid
    told["seeds"].append(seed)


def _differing(config: Config, other: Config) -> list[str]:
    """Keys by which two trainings differ, but for the seed and what only their record shows."""
    ours, theirs = configfiles.flatten(config), configfiles.flatten(other)
    beside = ("data.root", "training.seed", *(f"training.{key}" for key in RECORDED))
    return [
        key
        for key in ours
        if key.startswith(("data.", "model.", "diffusion.", "training."))
        and key not in beside
        and ours[key] != theirs[key]
    ]


def drawing(evaluation: Path) -> list[str]:
    """Settings that make the weights draw as they did for an evaluation."""
    sampling = configfiles.load(evaluation / "config.toml").sampling
    values = {key: configfiles.format_value(getattr(sampling, key)) or "unset" for key in DRAWN_BY}
    return [*(f"sampling.{key}={value}" for key, value in values.items()), "sampling.ema=true"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("name")
    parser.add_argument("--seeds", nargs="+", default=[], metavar="RUN", help="the same of other seeds")
    parser.add_argument("--home")
    parser.add_argument("--out", type=Path, default=Path("docs/results"))
    args = parser.parse_args()
    place = home.find(args.home, reading=True)
    with Catalogue(place) as catalogue:
        catalogue.sync()
        told, evaluation = gather(catalogue, args.run)
        trained = RunDirectory(Path(catalogue.find(args.run).path))
        for reference in args.seeds:
            add_seed(told, configfiles.load(trained.path / "config.toml"), catalogue, reference)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / f"{args.name}.json").write_text(json.dumps(told, indent=1) + "\n")
    picture = evaluation / "samples" / "grid.png"
    if picture.exists():
        shutil.copyfile(picture, args.out / f"{args.name}.png")
    weights = args.out / args.name
    if weights.exists():
        shutil.rmtree(weights)
    export(trained, told["steps"], weights, to="safetensors", dtype="bfloat16", settings=drawing(evaluation))
    print(
        f"{args.name}: FID {told['fid']:.2f}, {told['training_hours']:.2f} hours, {args.out}/{args.name}.json"
    )


if __name__ == "__main__":
    main()
