"""Brings the catalogue up to date with the run directories. The only writer, whoever calls it.

A run that has ended and was read to its end costs one `stat` of its directory: whatever changes it later
(resume, edit) renames a file there. Anything else is looked at closely, and its events are read on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import delete, select

from runs import evaluations, files, identity, runjson, status, tables
from runs.database import MEMORY, Database
from runs.errors import RunError
from runs.home import Home
from runs.schema import metadata, run
from runs.tail import Entry, Tail

#: Runs that are looked at closely at once.
_GROUP = 200

_UNKNOWN = (None, None, None)


@dataclass(slots=True)
class Outcome:
    """What a sync did."""

    changed: bool = False
    skipped: list[tuple[str, str]] = field(default_factory=list)  #: (path, why) of what could not be read


def reindex(home: Home, tell: Callable[[str], None] | None = None) -> int:
    """Build the catalogue anew from the run directories; how many runs there are.

    A damaged file is put aside and replaced; `tell` gets a line about it.
    """
    database = Database(home.catalogue)
    try:
        if not database.sound():
            database.renew()
        if database.notice and tell:
            tell(database.notice)
        with database.writing() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(delete(table))
        outcome = sync(database, home)
        if tell:
            for path, why in outcome.skipped:
                tell(f"left out: {path}: {why}")
        with database.reading() as connection:
            return tables.count(connection)
    finally:
        database.close()


def sync(database: Database, home: Home, *, probe: bool = True) -> Outcome:
    """Read what is new. Without `probe` the status of runs that are known is left as it is."""
    outcome = Outcome()
    columns = (run.c.directory, run.c.settled, run.c.info_stamp, run.c.status)
    with database.reading() as connection:
        known = {name: rest for name, *rest in connection.execute(select(*columns))}
    present: set[str] = set()
    entries: list[Entry] = []
    found: list[identity.Found] = []
    for directory, place, mtime in _scan(home, outcome):
        settled, stamp, before = known.get(directory, _UNKNOWN)
        if settled == mtime:
            present.add(directory)
            continue
        path = Path(place)
        try:
            entry = Entry(directory, path, mtime, before if before and not probe else status.probe(path))
            changed = _changed(entry, stamp)
        except files.UnreadableError as error:
            outcome.skipped.append((str(path), str(error)))
        except FileNotFoundError:
            outcome.skipped.append((str(path), "it has no run.json"))
        except OSError as error:
            outcome.skipped.append((str(path), f"{error.filename}: {error.strerror}"))
            present.add(directory)  # if it is known, it may be readable again next time
        else:
            present.add(directory)
            entries.append(entry)
            found += changed
    if found or known.keys() - present:
        _register(database, home, found, present)
        outcome.changed = True
    tail = Tail(database)
    for start in range(0, len(entries), _GROUP):
        tail.read(entries[start : start + _GROUP])
    outcome.changed |= tail.changed
    outcome.skipped += tail.skipped
    return outcome


def _scan(home: Home, outcome: Outcome) -> Iterator[tuple[str, str, int]]:
    """(name, path, modification time in ns) of all directories that may be runs."""
    try:
        with os.scandir(home.runs) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                try:
                    if not entry.is_dir():  # fails for a link to itself
                        continue
                    entry.name.encode()  # a name that is not UTF-8 could not be stored
                    yield entry.name, entry.path, entry.stat().st_mtime_ns
                except UnicodeEncodeError:
                    outcome.skipped.append((ascii(entry.path), "its name is not UTF-8"))
                except OSError as error:
                    outcome.skipped.append((entry.path, str(error.strerror)))
    except FileNotFoundError:
        return
    except OSError as error:
        raise RunError(f"{home.runs} cannot be read: {error.strerror}") from None


def _changed(entry: Entry, stamp: str | None) -> list[identity.Found]:
    """What run.json says, if it is not what the catalogue has read before."""
    now = files.stamp(entry.path / "run.json")
    if now is not None and now == stamp:
        return []
    info = runjson.read(entry.path)
    own = (info["id"], info["uuid"], info["name"])
    return [identity.Found(entry.directory, entry.path, now or "", entry.status, info, *own)]


def _register(database: Database, home: Home, found: list[identity.Found], present: set[str]) -> None:
    """Runs that came, went or were edited, all at once: numbers and names are given out alone."""
    alone = database.path == MEMORY  # then numbers and names are for this process only
    with nullcontext() if alone else home.locked(), database.writing() as connection:
        gone = identity.settle(home, tables.known(connection), found, present)
        for item in found:
            if item.renamed and not alone:
                item.write_back()
        tables.remove(connection, [item.id for item in gone])
        tables.register(connection, found)
        tables.connect_parents(connection)
        evaluations.rank(connection)
