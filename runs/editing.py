"""What a person may change of a run: its name, its tags, its notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runs import directory, names
from runs.directory import RunDirectory, name_taken
from runs.errors import RunError
from runs.home import Home


def edit(
    home: Home,
    run: RunDirectory,
    *,
    name: str | None = None,
    tags: Sequence[str] | None = None,
    notes: str | None = None,
) -> None:
    """Change what is given; `tags` takes the place of all earlier ones.

    RunError, and nothing is changed, for what cannot be a name, tag or note, and for a taken name.
    """
    changes: dict[str, Any] = {}
    if name is not None:
        changes["name"] = names.check_name(name)
    if tags is not None:
        changes["tags"] = names.check_tags(tags)
    if notes is not None:
        changes["notes"] = names.check_notes(notes)
    try:
        with home.locked():  # so that no two runs take one name at the same time
            taken = {info["name"] for info, other in directory.infos(home) if other.path != run.path}
            if changes.get("name") in taken:
                raise name_taken(changes["name"], taken)
            run.edit(**changes)
    except OSError as error:
        raise RunError(f"{home.path} cannot be written: {error.strerror}") from None
