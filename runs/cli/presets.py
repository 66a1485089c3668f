"""The presets that come along: what each reaches, on what, in how long; or one
of them as TOML.
"""

from __future__ import annotations

import argparse

from runs.cli.parser import Parser

EXAMPLES = """
ddpm-tui presets
ddpm-tui presets mnist > mine.toml       a file for `train` to start from
"""


def arguments(parser: Parser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="print this preset's file")
    parser.add_argument(
        "--json", action="store_true", help="print JSON; of one preset with its configuration"
    )


def run(args: argparse.Namespace) -> int:
    from ddpm import configfiles
    from runs.cli.output import print_json

    if args.name and args.json:
        config, name = configfiles.resolve(args.name)
        summary = configfiles.preset_summary(args.name)
        print_json({"name": name, "summary": summary, "config": config.model_dump(mode="json")})
    elif args.name:
        print(configfiles.preset_text(args.name), end="")
    elif args.json:
        names = configfiles.preset_names()
        print_json([{"name": n, "summary": configfiles.preset_summary(n)} for n in names])
    else:
        _print(configfiles.preset_names())
    return 0


def _print(names: list[str]) -> None:
    from ddpm import configfiles
    from runs.text import printable

    size = max(map(len, names)) + 2
    for name in names:
        first, *others = configfiles.preset_summary(name).splitlines() or [""]
        print(printable(f"{name:<{size}}{first}"))
        for line in others:
            print(printable(" " * size + line))
