"""Make a run of a folder of weights: what diffusers saves of a DDPMPipeline (as
google/ddpm-cifar10-32), or what `ddpm-tui export --to safetensors` wrote.

The run is finished, has one checkpoint (and that of an earlier step that it is
guided by, if any), and can be sampled from, evaluated, restored with and
trained on from (`train … --from RUN`). What the files hold is
data and is never run; what cannot be carried is refused, with the reason.
"""

from __future__ import annotations

import argparse

from runs.cli.parser import Parser

EXAMPLES = """
ddpm-tui import ddpm-cifar10-32/ --name google
ddpm-tui import docs/results/mnist-cpu
ddpm-tui import faces-pipeline/ --dataset folder --set data.root=~/faces
"""


def arguments(parser: Parser) -> None:
    parser.add_argument("folder", metavar="DIR", help="the folder")
    parser.add_argument("--name", help="the run's name; no other may have it (default: one is made)")
    parser.add_argument("--tag", action="append", default=[], metavar="TAG", help="a tag; may be repeated")
    parser.add_argument("--note", metavar="TEXT", help="a note")
    parser.add_argument(
        "--dataset", help="what it was trained on (default: as the folder says, else by the images' shape)"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a value that the weights do not decide, as in data.root=DIR; may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="print the run as JSON, as `show --json` does")


def run(args: argparse.Namespace) -> int:
    from ddpm import configfiles
    from runs.carrying import new_import
    from runs.cli.opening import open_home, open_to_read
    from runs.cli.output import print_json, say
    from runs.cli.parser import UsageError
    from runs.cli.records import detail_record
    from runs.cli.starting import check_naming
    from runs.cli.waiting import Waiting
    from runs.home import absolute
    from runs.text import printable

    check_naming(args)
    settings = [*args.set, *([] if args.dataset is None else [f"data.dataset={args.dataset}"])]
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {setting}: expected section.key=value")
        configfiles.parse_value(key.strip(), text)
    folder = absolute(args.folder)
    if not folder.is_dir():
        raise UsageError(f"{args.folder}: {'not a folder' if folder.exists() else 'no such folder'}")
    home = open_home(args)
    with Waiting("carrying"):
        made, notes = new_import(
            home,
            folder,
            settings,
            name=args.name,
            tags=tuple(args.tag),
            notes=args.note or "",
            command=args.command,
        )
    for note in notes:
        say(f"note: {note}")
    with open_to_read(args) as catalogue:  # the run is made, whether or not a full disk has room for more
        detail = catalogue.detail(catalogue.at(made.path).id)
    if args.json:
        print_json(detail_record(detail))
    else:
        row = detail.row
        print(printable(f"{row.name} (#{row.id}) is made of {args.folder}: {row.path}"))
        say(f"To draw with it: ddpm-tui sample {row.id}   to train on: ddpm-tui train … --from {row.id}")
    return 0
