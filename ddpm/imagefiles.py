"""Which files of a folder are images. No torch: whoever only asks whether there are any comes here too."""

from __future__ import annotations

import os
import stat
from pathlib import Path

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")


def find(root: Path) -> tuple[list[Path], list[Path]]:
    """(files with the ending of an image, by path; folders that cannot be read), both relative to `root`.

    Sub-folders too; hidden files and folders are left out; links are followed, each folder is read once.
    """
    files, closed = [], []
    seen: set[tuple[int, int]] = set()
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen:  # reached by a link before
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as found:
                entries = sorted((e for e in found if not e.name.startswith(".")), key=lambda e: e.name)
        except OSError:
            closed.append(folder.relative_to(root))
            continue
        for entry in entries:
            mode = _mode(entry)
            if stat.S_ISDIR(mode):
                waiting.append(folder / entry.name)
            elif entry.name.lower().endswith(ENDINGS) and (stat.S_ISREG(mode) or not mode):
                files.append((folder / entry.name).relative_to(root))
    return sorted(files, key=lambda name: name.parts), closed


def _mode(entry: os.DirEntry[str]) -> int:
    """What a name stands for, links followed; 0 for a link to nowhere."""
    try:
        return entry.stat().st_mode
    except OSError:
        return 0
