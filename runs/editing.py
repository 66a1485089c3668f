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
    add_tags: Sequence[str] = (),
    remove_tags: Sequence[str] = (),
) -> None:
    """Change what is given; `tags` takes the place of all earlier ones, the others add and take away.

    RunError, and nothing is changed, for what cannot be a name, tag or note, for a taken name, and for a
    tag to take away that is not there.
    """
    changes: dict[str, Any] = {}
    if name is not None:
        changes["name"] = names.check_name(name)
    if tags is not None:
        changes["tags"] = names.check_tags(tags)
    if notes is not None:
        changes["notes"] = names.check_notes(notes)
    added = names.check_tags(add_tags)
    try:
        with home.locked():  # so that no two runs take one name at the same time, and no tag is lost
            taken = {info["name"] for info, other in directory.infos(home) if other.path != run.path}
            if changes.get("name") in taken:
                raise name_taken(changes["name"], taken)
            if added or remove_tags:
                before = changes.get("tags", run.info["tags"])
                changes["tags"] = _merged(run, before, added, remove_tags)
            run.edit(**changes)
    except OSError as error:
        raise RunError(f"{home.path} cannot be written: {error.strerror}") from None


def _merged(
    run: RunDirectory, before: Sequence[str], added: Sequence[str], removed: Sequence[str]
) -> list[str]:
    missing = [tag for tag in removed if tag not in before]
    if missing:
        raise RunError(f"{run.name} has no tag {missing[0]!r}; it has {', '.join(before) or 'none'}")
    return [tag for tag in dict.fromkeys([*before, *added]) if tag not in removed]
