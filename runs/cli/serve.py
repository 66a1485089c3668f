"""Answer over HTTP with a run's checkpoint: draw images, restore images, until
Ctrl-C. What can be asked, and how, is on the page /docs of the address that is
told; requests that want the same are computed together.

Needs an extra: pip install 'ddpm-tui[serve]'
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys

from runs.cli import starting
from runs.cli.parser import Parser, device, whole

EXAMPLES = """
ddpm-tui serve mnist-1
ddpm-tui serve mnist-1@20000 --port 0
curl -d '{"count": 1, "seed": 7}' localhost:8000/generate > digit.png
curl --data-binary @noisy.png localhost:8000/restore > clean.png
"""

MODULE = "ddpm.serving"
#: What the extra brings, by the names they are imported by.
NEEDED = ("fastapi", "uvicorn", "fastapi_offline", "python_multipart")
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def arguments(parser: Parser) -> None:
    parser.add_argument(
        "run", metavar="RUN[@STEP]", help="a run, and one of its checkpoints (default: the newest)"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen at (default: this machine alone)"
    )
    parser.add_argument("--port", type=whole(), default=8000, help="0: any that is free (default: 8000)")
    parser.add_argument(
        "--max-count", type=whole(1), default=64, metavar="N", help="images of one request (default: 64)"
    )
    parser.add_argument(
        "--max-side", type=whole(1), default=512, metavar="PIXELS", help="of an image (default: 512)"
    )
    parser.add_argument(
        "--max-queue", type=whole(1), default=64, metavar="N", help="requests that wait (default: 64)"
    )
    parser.add_argument(
        "--batch-size", type=whole(1), metavar="N", help="images computed at once (default: CPU 16, else 64)"
    )
    parser.add_argument(
        "--batch-window",
        type=whole(),
        default=5,
        metavar="MS",
        help="milliseconds that a request waits for others like it (default: 5)",
    )
    parser.add_argument(
        "--device", type=device, default="auto", help="auto, cpu, cuda, cuda:1, mps (default: auto)"
    )


def run(args: argparse.Namespace) -> int:
    from runs import interpreter
    from runs.checks import checkpoint_of, latest_step
    from runs.cli.output import warn
    from runs.errors import RunError

    _, parent, step, _ = starting.from_checkpoint(args, ())
    step = latest_step(parent) if step is None else step
    checkpoint = checkpoint_of(parent, step)
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise RunError(f"{missing[0]} is missing: pip install 'ddpm-tui[serve]'")
    if args.host not in LOOPBACK:
        warn(f"whoever reaches {args.host} may use it: there is no authentication and no encryption")
    options = {
        "name": f"{parent.name}@{step}",
        "program": "ddpm-tui serve",
        **{key.replace("_", "-"): getattr(args, key) for key in vars(args) if key in _PASSED},
    }
    given = [f"--{key}={value}" for key, value in options.items() if value is not None]
    sys.stdout.flush()
    sys.stderr.flush()
    command = interpreter.command(MODULE, str(checkpoint), str(parent.path / "config.toml"), *given)
    os.execve(command[0], command, interpreter.environment())


_PASSED = ("host", "port", "max_count", "max_side", "max_queue", "batch_size", "batch_window", "device")
