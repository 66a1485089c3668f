"""`python -m ddpm.carrying export|import …`: carrying weights, for programs that have no torch.

Prints {"result": …} and leaves with status 0, or {"error": "one line"} and 1.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from ddpm import asker, configfiles, errors


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    signal.signal(signal.SIGTERM, _leave)
    asker.end_with_it()
    try:
        result = _work(_parser().parse_args(arguments))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _failed(f"{where}{error.strerror or error}")
    except (errors.EngineError, configfiles.ConfigError) as error:
        return _failed("; ".join(str(error).splitlines()))
    except MemoryError:
        return _failed("out of memory: the network is larger than what is free")
    print(json.dumps({"result": result}), flush=True)
    return 0


def _work(args: argparse.Namespace) -> dict[str, Any]:
    if args.what == "import":
        from ddpm.carrying.importing import make

        return make(args.folder, args.target, args.set)
    from ddpm.carrying.exporting import export

    config = configfiles.override(configfiles.load(args.config), args.set)
    told = {key: getattr(args, key) for key in ("name", "preset") if getattr(args, key)}
    return export(args.checkpoint, config, args.target, to=args.to, dtype=args.dtype, told=told)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ddpm.carrying")
    verbs = parser.add_subparsers(dest="what", required=True)
    out = verbs.add_parser("export")
    out.add_argument("checkpoint", type=Path)
    out.add_argument("config", type=Path)
    out.add_argument("target", type=Path)
    out.add_argument("--to", choices=("diffusers", "safetensors", "torch", "onnx"), required=True)
    out.add_argument("--dtype", choices=("float32", "float16", "bfloat16"), default="float32")
    out.add_argument("--name")
    out.add_argument("--preset")
    taken = verbs.add_parser("import")
    taken.add_argument("folder", type=Path)
    taken.add_argument("target", type=Path)
    for each in (out, taken):
        each.add_argument("--set", action="append", default=[])
    return parser


def _failed(message: str) -> int:
    print(json.dumps({"error": message}), flush=True)
    return 1


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
