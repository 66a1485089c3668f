"""What most verbs begin with: the home, the catalogue brought up to date, the run that is meant."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runs.catalogue import Catalogue
    from runs.directory import RunDirectory
    from runs.home import Home
    from runs.rows import RunRow


def open_home(args: argparse.Namespace, *, reading: bool = False) -> Home:
    """The home that --home, DDPM_HOME or the platform names."""
    from runs.home import find

    return find(args.home, reading=reading)


@contextmanager
def open_catalogue(home: Home) -> Iterator[Catalogue]:
    """The catalogue of `home`, brought up to date."""
    from runs.catalogue import Catalogue

    with Catalogue(home) as catalogue:
        yield _synced(catalogue)


@contextmanager
def open_to_read(args: argparse.Namespace) -> Iterator[Catalogue]:
    """The catalogue of the home that is meant, for verbs that keep nothing in it: where it cannot be
    written, it is made in memory from the run directories, and that is told."""
    from runs.catalogue import Catalogue
    from runs.cli.output import warn
    from runs.errors import UnwritableError

    home = open_home(args, reading=True)
    with ExitStack() as stack:
        try:
            catalogue = _synced(stack.enter_context(Catalogue(home)))
        except (UnwritableError, OSError) as error:
            why = f"{home.path}: {error.strerror}" if isinstance(error, OSError) else error
            warn(f"{why}; read from the run directories instead")
            catalogue = _synced(stack.enter_context(Catalogue(home, in_memory=True)))
        yield catalogue


def _synced(catalogue: Catalogue) -> Catalogue:
    from runs.cli.output import warn

    if catalogue.notice:
        warn(catalogue.notice)
    catalogue.sync()
    warn_skipped(catalogue.skipped, warn)
    return catalogue


def warn_skipped(skipped: Sequence[tuple[str, str]], warn: Callable[[str], None]) -> None:
    """One line on directories that are no readable runs; `doctor` helps with them."""
    if skipped:
        path, why = skipped[0]
        more = f" (and {len(skipped) - 1} more: see doctor)" if len(skipped) > 1 else ""
        warn(f"left out: {path}: {why}{more}")


def directory(row: RunRow) -> RunDirectory:
    """The directory of a run in the catalogue."""
    from runs.directory import RunDirectory

    return RunDirectory(Path(row.path))


def find_all(catalogue: Catalogue, references: list[str]) -> list[RunRow]:
    """The runs that `references` mean, each once, in the order given. RunError for one that means none."""
    found = {row.id: row for row in map(catalogue.find, references)}
    return list(found.values())
