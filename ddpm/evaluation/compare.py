"""`python -m ddpm.evaluation.compare A B`: scores for programs that have no torch, as lines of JSON.

{"progress": …} while it works (see `comparison.Told`), then {"result": …} and exit status 0, or
{"error": "one line"} and 1. SIGTERM ends it at once and leaves nothing half done behind.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from ddpm import asker, errors

_SECONDS = 0.1  # between two lines of progress of one stage, at least


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    signal.signal(signal.SIGTERM, _leave)
    asker.end_with_it()
    try:
        return _work(_parser().parse_args(arguments))
    except BrokenPipeError:  # whoever asked is gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _print({"error": f"{where}{error.strerror or error}"})
    except errors.EngineError as error:
        _print({"error": str(error)})
    except MemoryError:
        _print({"error": "out of memory: one of the two has larger images or more features than fit"})
    return 1


def _work(args: argparse.Namespace) -> int:
    _print(
        {"progress": {"stage": f"looking at {args.a} and {args.b}", "done": 0, "total": 0, "unit": "images"}}
    )
    from ddpm.evaluation.comparison import compare  # torch, a second
    from ddpm.evaluation.places import Places
    from ddpm.evaluation.sources import open_source

    a, b = open_source(args.a), open_source(args.b)
    places = Places(args.data_root, args.weights, args.weights_folder, args.references)
    work = compare(
        a,
        b,
        places,
        convention=args.convention,
        device=args.device,
        companions=not args.no_companions,
        keep=args.save_reference,
    )
    stage, next_line = "", 0.0
    while True:
        try:
            told = next(work)
        except StopIteration as end:
            _print({"result": end.value.to_dict()})
            return 0
        if told.stage != stage or told.done == told.total or time.monotonic() >= next_line:
            stage, next_line = told.stage, time.monotonic() + _SECONDS
            _print({"progress": asdict(told)})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ddpm.evaluation.compare")
    parser.add_argument("a")
    parser.add_argument("b")
    parser.add_argument("--convention", choices=("tensorflow", "pytorch-fid"))
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--weights-folder", type=Path, required=True)
    parser.add_argument("--references", type=Path, required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--no-companions", action="store_true")
    parser.add_argument("--save-reference", type=Path)
    return parser


def _print(value: dict[str, Any]) -> None:
    print(json.dumps(value), flush=True)


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
