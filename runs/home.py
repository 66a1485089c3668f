"""The home: the one folder that holds all runs, the catalogue, the data sets and the trash."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runs.errors import BadValueError, RunError


@dataclass(frozen=True, slots=True)
class Home:
    """Where things are; `find` makes sure that they can be."""

    path: Path

    @property
    def runs(self) -> Path:
        return self.path / "runs"

    @property
    def trash(self) -> Path:
        return self.path / "trash"

    @property
    def datasets(self) -> Path:
        return self.path / "datasets"

    @property
    def weights(self) -> Path:
        return self.path / "weights"

    @property
    def references(self) -> Path:
        """Statistics and features of data sets that evaluations compare with."""
        return self.path / "references"

    @property
    def catalogue(self) -> Path:
        return self.path / "catalogue.db"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone in giving out numbers and names; held for milliseconds, so waiting for it is fine."""
        with (self.path / ".lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def find(option: str | None = None, *, reading: bool = False) -> Home:
    """The home that `--home`, else DDPM_HOME, else the platform's convention names; made where missing.

    Raises RunError where it cannot be made or written; for `reading` one that is there need not be written.
    """
    if option is not None and not option.strip():
        raise BadValueError("the home cannot be empty; name a folder with --home DIR, or leave it out")
    path = absolute(option or os.environ.get("DDPM_HOME") or default_folder())
    home = Home(path)
    try:
        home.runs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(path, error) from None
    for folder in (path, home.runs):
        if not os.access(folder, os.R_OK | os.X_OK | (0 if reading else os.W_OK)):
            raise _unusable(folder, OSError(*_denied(folder)))
    return home


def data_root(home: Home, root: str | None) -> Path:
    """Where data lie: `data.root`, else DDPM_DATA, else the home's own folder; absolute."""
    chosen = root or os.environ.get("DDPM_DATA")
    return absolute(chosen) if chosen else home.datasets


def inception_weights(weights: str | None) -> Path | None:
    """The file of the Inception weights that a person named: `evaluation.weights`, else DDPM_INCEPTION;
    absolute. None: it is looked for, and downloaded where it is not found."""
    chosen = weights or os.environ.get("DDPM_INCEPTION")
    return absolute(chosen) if chosen else None


def absolute(text: str | Path) -> Path:
    """A path as a person gives it, as it can be recorded: absolute, `~` followed.

    BadValueError for the home of an unknown user, and for what is not UTF-8.
    """
    text = str(text)
    if "\0" in text or text != text.encode("utf-8", "replace").decode():
        raise BadValueError(f"{text!a} cannot be used: paths must be UTF-8 text")
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:
        raise BadValueError(f"{text}: there is no user {text[1:].partition('/')[0]!r}") from None


def default_folder() -> str:
    import platformdirs  # here, as it is not needed where the home is named

    return platformdirs.user_data_dir("ddpm-tui", appauthor=False)


def _denied(folder: Path) -> tuple[int, str]:
    read_only = bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    number = errno.EROFS if read_only else errno.EACCES
    return number, os.strerror(number)


def _unusable(path: Path, error: OSError) -> RunError:
    return RunError(
        f"the home {path} cannot be written: {error.strerror}; choose another with --home DIR or DDPM_HOME"
    )
