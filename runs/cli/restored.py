"""What became of the inputs of a restoring run: JSON lines, and those that failed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runs.rows import RunDetail


def print_lines(detail: RunDetail) -> None:
    """A JSON object for each input, a line each, in the order they were done; outputs as absolute paths."""
    from runs import restorations

    folder = Path(detail.row.path)
    out = restorations.out_folder(folder)
    for line in restorations.lines(folder):
        if isinstance(line.get("output"), str):
            line["output"] = str(out / line["output"])
        print(json.dumps(line, ensure_ascii=False))


def tell_failures(detail: RunDetail) -> int:
    """Names the inputs that could not be restored and that no notice has told of; how many there are."""
    from runs import restorations
    from runs.cli.output import say

    if detail.row.kind != "restore" or detail.restored is None or not detail.restored.failed:
        return 0
    for line in restorations.lines(Path(detail.row.path)):
        error = line.get("error")
        if isinstance(error, str) and error not in detail.notices:
            say(error)
    return detail.restored.failed
