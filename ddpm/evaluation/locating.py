"""Where the weights of the FID Inception network are: a file given, else one found, else the download."""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ddpm.datafiles import shown
from ddpm.download import PATIENCE
from ddpm.evaluation import trunk
from ddpm.evaluation.places import Places, find_weights
from ddpm.evaluation.progress import Progress, Steps, finish
from ddpm.evaluation.trunk import WeightsError

_PIECE = 1 << 20  # bytes between two looks at the clock


def inception_weights(places: Places) -> Path:
    """The file of the weights; downloaded where there is none.

    A file that a person named is returned as it is: `trunk.read` tells what is wrong with it. Raises
    WeightsError, saying which file to put where, when the download fails.
    """
    return finish(obtain(places))


def obtain(places: Places) -> Steps[Path]:
    """As `inception_weights`, yielding Progress in bytes while it downloads; the path is what it returns."""
    found = places.weights or find_weights(places.weights_folder)
    if found is not None:
        return found
    return (yield from _download(places.weights_folder))


def _download(folder: Path) -> Steps[Path]:
    target = folder / trunk.FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder) as unfinished:
            if not target.is_file():  # else another process fetched it while this one waited
                yield from _fetch(unfinished)
                unfinished.replace(target)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise WeightsError(
            f"the FID Inception weights are missing and cannot be downloaded ({_reason(error)}); put "
            f"{trunk.FILE} (from {trunk.URL}) into {shown(folder)}, or name a file of them by "
            "--weights, evaluation.weights or DDPM_INCEPTION"
        ) from error
    return target


def _fetch(path: Path) -> Iterator[Progress]:
    """Write what is at the published address to `path`. Raises ValueError where it is another file."""
    digest = hashlib.sha256()
    with urllib.request.urlopen(trunk.URL, timeout=PATIENCE) as answer, path.open("wb") as file:
        done, total = 0, int(answer.headers.get("Content-Length") or 0)
        yield Progress(done, total)
        while piece := answer.read(_PIECE):
            file.write(piece)
            digest.update(piece)
            done += len(piece)
            yield Progress(done, total)
    if done < total:
        raise ValueError(f"the connection ended after {done:,} of {total:,} bytes")
    wanted = Path(trunk.FILE).stem.rpartition("-")[2]
    if not digest.hexdigest().startswith(wanted):
        raise ValueError(
            f"what came is another file: its SHA-256 begins {digest.hexdigest()[:8]}, not {wanted}"
        )


@contextmanager
def _alone(folder: Path) -> Iterator[Path]:
    """A name for one download at a time; what a killed one left there is written over."""
    unfinished = folder / f".{trunk.FILE}.part"
    with (folder / ".download.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield unfinished
        finally:
            unfinished.unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code}"
    if isinstance(error, urllib.error.URLError):
        reason = error.reason
        return str(getattr(reason, "strerror", None) or reason)
    if isinstance(error, OSError) and error.strerror:
        return f"{shown(Path(error.filename))}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__
