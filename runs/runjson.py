"""`run.json`, which people and other programs may have written: read once, checked, and the same for all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runs import files

FORMAT = 1
#: Numbers of runs stay below it; a larger one in run.json is as good as none.
NUMBERS_END = 10**9
#: As many as no command line holds.
_INPUTS_END = 1_000_000


def raw(path: Path) -> dict[str, Any]:
    """The object in `run.json` of the directory `path`, as it stands.

    Raises UnreadableError where it is none of ours, OSError where it cannot be read.
    """
    found = files.read_object(path / "run.json")
    written_as = found.get("format")
    if type(written_as) is not int:
        raise files.UnreadableError("run.json is not of this program")
    if written_as > FORMAT:
        raise files.UnreadableError(f"run.json was written by a newer version (format {written_as})")
    return found


def read(path: Path) -> dict[str, Any]:
    """`run.json` with everything of its right type: unknown is None, an unusable number 0.

    What this version does not know is kept. Raises UnreadableError where it is not of a run, OSError where
    it cannot be read.
    """
    found = raw(path)
    info = {**found, **{key: files.as_text(found.get(key), 200) for key in ("uuid", "name", "kind")}}
    for key in ("uuid", "name", "kind"):
        if not info[key] or info[key] != found[key]:
            raise files.UnreadableError(f"run.json has no usable {key!r}")
    number = files.as_whole(found.get("id")) or 0
    parent = found["parent"] if isinstance(found.get("parent"), dict) else None
    provenance = found["provenance"] if isinstance(found.get("provenance"), dict) else {}
    info |= {
        key: files.as_text(found.get(key)) for key in ("preset", "data_root", "out", "checkpoint", "weights")
    }
    return info | {
        "id": number if number < NUMBERS_END else 0,
        "tags": files.as_texts(found.get("tags")),
        "notes": files.as_text(found.get("notes"), 100_000) or "",
        "created_at": files.as_time(found.get("created_at"))
        or files.iso((path / "run.json").stat().st_mtime),
        "device": files.as_text(found.get("device")) or "auto",
        "command": files.as_texts(found.get("command")),
        "inputs": files.as_texts(found.get("inputs"), _INPUTS_END),
        "after": _entry(files.as_text(found.get("after"), 200)),
        "parent": parent,
        "parent_uuid": files.as_text((parent or {}).get("uuid"), 200),
        "provenance": files.as_plain(provenance),
    }


def _entry(name: str | None) -> str | None:
    """A name that stays in the folder where it is looked up; else None."""
    return (
        name if name and "\0" not in name and name == Path(name).name and not name.startswith(".") else None
    )
