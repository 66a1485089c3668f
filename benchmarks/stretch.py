"""A result of docs/results/ in one stretch: training, evaluations, likelihood, summary, by `ddpm-tui` itself.

    python -m benchmarks.stretch PRESET NAME [--samples 10000] [--set KEY=VALUE]… [--try=OPTIONS]…
                                 [--try-samples 2000] [--home DIR] [--out DIR]

Each is a way to draw, as options of `evaluate` (--try="--sampler dpmpp-2m --steps 20"; --try= for that of
the preset): the best of them by FID of few samples is taken for the result. All of it is runs. Asked again it
goes on where it was stopped: a run that is finished is not run again, one that is not goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

CONVENTIONS = ("tensorflow", "pytorch-fid")
_GO_ON = {"running": "wait"}


def training(preset: str, settings: Sequence[str]) -> list[str]:
    """Arguments of `ddpm-tui` that train."""
    return ["train", preset, *(part for setting in settings for part in ("--set", setting))]


def results(name: str, samples: int, drawing: Sequence[str]) -> list[tuple[str, list[str]]]:
    """(run, what makes it) of the evaluations and the likelihood of a training, in their order."""
    evaluations = [
        (
            f"{name}-{convention}",
            ["evaluate", name, f"--samples={samples}", f"--convention={convention}", *drawing],
        )
        for convention in CONVENTIONS
    ]
    return [*evaluations, (f"{name}-bits", ["likelihood", name])]


def chosen(name: str, tries: Sequence[Sequence[str]], samples: int) -> list[str]:
    """The options of those tries that draw best, each a run `NAME-try-1`, …; none where nothing is tried."""
    found = []
    for number, drawing in enumerate(tries, start=1):
        run = f"{name}-try-{number}"
        make(run, ["evaluate", name, f"--samples={samples}", "--no-companions", *drawing])
        shown = json.loads(ddpm_tui("show", run, "--json").stdout)
        found.append((shown["evaluations"][0]["fid"], list(drawing)))
        print(f"{run}: FID {found[-1][0]:.2f} of {samples:,} samples, {shlex.join(drawing) or 'as it is'}")
    return min(found, key=lambda one: one[0])[1] if found else []


def ddpm_tui(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "runs.cli.main", *arguments]
    return subprocess.run(program, stdout=subprocess.PIPE, text=True, check=False)


def status(name: str) -> str | None:
    """Of the run of exactly that name; None where there is none."""
    listed = json.loads(ddpm_tui("ls", "--json", "--limit=0").stdout or "[]")
    return next((run["status"] for run in listed if run["name"] == name), None)


def make(name: str, arguments: Sequence[str]) -> None:
    """Has a run finished: begun, waited for or gone on with. Ends the program where it cannot be, or one of
    that name was made otherwise."""
    found, asked = status(name), [*arguments, f"--name={name}"]
    if found is not None:
        made = json.loads(ddpm_tui("show", name, "--json").stdout)["command"]
        if made[1:] != asked:
            sys.exit(f"{name} was made by {shlex.join(made)}: remove it, or give another NAME")
    if found == "finished":
        return
    begin = asked if found is None else [_GO_ON.get(found, "resume"), name]
    if ddpm_tui(*begin).returncode:
        sys.exit(f"{name} did not finish; asked again, this program goes on")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("preset")
    parser.add_argument("name")
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the training")
    parser.add_argument("--try", dest="tries", action="append", default=[], metavar="OPTIONS")
    parser.add_argument("--try-samples", type=int, default=2000, metavar="N")
    parser.add_argument("--home")
    parser.add_argument("--out", type=Path, default=Path("docs/results"))
    args = parser.parse_args()
    tries = [shlex.split(one) for one in args.tries]  # a quote too few is found before the training
    if tries and args.try_samples >= args.samples:
        parser.error(f"--try-samples: {args.try_samples} is not below --samples {args.samples}")
    if args.home:
        os.environ["DDPM_HOME"] = args.home  # no option of the commands, which the result tells
    make(args.name, training(args.preset, args.set))
    drawing = chosen(args.name, tries, args.try_samples)
    for name, arguments in results(args.name, args.samples, drawing):
        make(name, arguments)
    summary = [sys.executable, "-m", "benchmarks.result", args.name, args.name, f"--out={args.out}"]
    sys.exit(subprocess.run(summary, check=False).returncode)


if __name__ == "__main__":
    main()
