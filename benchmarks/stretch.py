"""A result of docs/results/ in one stretch: training, evaluations, likelihood, summary, by `ddpm-tui` itself.

    python -m benchmarks.stretch PRESET NAME [--samples 10000] [--set KEY=VALUE]… [--home DIR] [--out DIR]

Asked again it goes on where it was stopped: a run that is finished is not run again, one that is not goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

CONVENTIONS = ("tensorflow", "pytorch-fid")
_GO_ON = {"running": "wait"}


def programs(preset: str, name: str, samples: int, settings: Sequence[str]) -> list[tuple[str, list[str]]]:
    """(run, what makes it) in their order: arguments of `ddpm-tui`."""
    changes = [part for setting in settings for part in ("--set", setting)]
    asked = [(name, ["train", preset, *changes])]
    asked += [
        (f"{name}-{convention}", ["evaluate", name, f"--samples={samples}", f"--convention={convention}"])
        for convention in CONVENTIONS
    ]
    return [*asked, (f"{name}-bits", ["likelihood", name])]


def ddpm_tui(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "runs.cli.main", *arguments]
    return subprocess.run(program, stdout=subprocess.PIPE, text=True, check=False)


def status(name: str) -> str | None:
    """Of the run of exactly that name; None where there is none."""
    listed = json.loads(ddpm_tui("ls", "--json", "--limit=0").stdout or "[]")
    return next((run["status"] for run in listed if run["name"] == name), None)


def make(name: str, arguments: Sequence[str]) -> None:
    """Has a run finished: begun, waited for or gone on with. Ends the program where it cannot be."""
    found = status(name)
    if found == "finished":
        return
    begin = [*arguments, f"--name={name}"] if found is None else [_GO_ON.get(found, "resume"), name]
    if ddpm_tui(*begin).returncode:
        sys.exit(f"{name} did not finish; asked again, this program goes on")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("preset")
    parser.add_argument("name")
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the training")
    parser.add_argument("--home")
    parser.add_argument("--out", type=Path, default=Path("docs/results"))
    args = parser.parse_args()
    if args.home:
        os.environ["DDPM_HOME"] = args.home  # no option of the commands, which the result tells
    for name, arguments in programs(args.preset, args.name, args.samples, args.set):
        make(name, arguments)
    summary = [sys.executable, "-m", "benchmarks.result", args.name, args.name, f"--out={args.out}"]
    sys.exit(subprocess.run(summary, check=False).returncode)


if __name__ == "__main__":
    main()
