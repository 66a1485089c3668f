"""The process that does a run's work: iterates over the engine and appends its events to the record.

    python -m runs.worker RUN_DIR [LOCK_FD]

The only module of this package that brings torch in, and only inside `main`, so that a failure to
import it is told like any other. Exit status 0 after "finished" and "stopped", 1 after "failed".
"""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from types import FrameType
from typing import Protocol

from ddpm import events
from ddpm.config import Config
from ddpm.configfiles import ConfigError
from ddpm.errors import EngineError
from ddpm.evaluation.places import Places
from runs import humanize, pinning, queueing
from runs.directory import RunDirectory
from runs.errors import RunError
from runs.home import Home
from runs.supervisor import BALLAST, utc_now

_POLL_SECONDS = 0.2
_MESSAGE_LENGTH = 500
#: Events that say nothing of how far the training had come.
_NO_STEP = events.Denoising | events.Restored | events.Notice | events.CheckpointRemoved
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Engine(Protocol):
    """What training, generation and evaluation have in common."""

    def __iter__(self) -> Iterator[events.Event]: ...

    def stop(self) -> None: ...


class StopRequests:
    """Passes requests to stop on to the engine: the file `stop`, SIGTERM, SIGINT, SIGUSR1.

    SIGTERM or SIGINT after an earlier request ends the process at once. The step loop looks at nothing.
    """

    def __init__(self, run: Path) -> None:
        self._file = run / "stop"
        self._engine: Engine | None = None
        self.asked = False

    def listen(self) -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGUSR1, lambda *_: self._ask())
        threading.Thread(target=self._watch, name="stop-file", daemon=True).start()

    def connect(self, engine: Engine) -> None:
        self._engine = engine
        if self.asked:
            engine.stop()

    def _ask(self) -> None:
        self.asked = True
        if self._engine is not None:
            self._engine.stop()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        # From now on whoever looks, the supervisor too, sees that a stop was asked for.
        with contextlib.suppress(OSError):
            self._file.touch()
        self._ask()

    def _watch(self) -> None:
        while not self._file.exists():
            time.sleep(_POLL_SECONDS)
        self._ask()


class Recorder:
    """Appends events to the record and remembers how far the work has come."""

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self._step: int | None = None  # until the engine tells, what the record says stands
        self._images_seen: int | None = None

    def record(self, event: events.Event) -> None:
        if not isinstance(event, _NO_STEP):
            self._step, self._images_seen = event.step, event.images_seen
        durable = isinstance(
            event, events.Started | events.CheckpointWritten | events.Evaluated | events.Ended
        )
        self._run.append_event(events.to_record(event, utc_now()), sync=durable)

    def failed(self, message: str) -> None:
        """Record the end of a failed run. On a full disk the ballast makes the room for it."""
        event = events.Ended("failed", self._step, self._images_seen, message)
        try:
            self.record(event)
        except OSError:
            (self._run.path / BALLAST).unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # then the log's last line must say it
                self.record(event)


def main(argv: list[str]) -> int:
    """Do the work of the run directory `argv[0]`; `argv[1]`, if given, is its inherited lock."""
    _set_up_output()
    if len(argv) > 1:
        os.set_inheritable(int(argv[1]), False)  # the run lives as long as we do, not as our children
    run = RunDirectory(Path(argv[0]))
    requests, recorder = StopRequests(run.path), Recorder(run)
    requests.listen()
    try:
        if not queueing.wait(run, lambda: requests.asked, lambda line: _log(f"{utc_now()} {line}")):
            queueing.begin_anew(int(argv[1]) if len(argv) > 1 else None)
        status = _stopped_before(recorder) if requests.asked else _work(run, requests, recorder)
    except Exception as error:
        # The boundary of the process: whatever it was must reach the record, and the log in full.
        if not _expected(error):
            _log(traceback.format_exc().rstrip())
        message = _message(error)
        recorder.failed(message)
        _log(message)
        return 1
    return 0 if status in ("finished", "stopped") else 1


def _stopped_before(recorder: Recorder) -> str:
    """The status of a run that was asked to stop before it began."""
    recorder.record(events.Ended("stopped", None, None))
    _log(f"{utc_now()} stopped before it began")
    return "stopped"


def _work(run: RunDirectory, requests: StopRequests, recorder: Recorder) -> str:
    """Iterate over the engine; the status it ended with."""
    engine = _engine(run, run.config())
    requests.connect(engine)
    status = None
    for event in engine:
        if isinstance(event, events.Ended):
            status = event.status
            if status == "finished":
                _hand_over(run)
        if (line := _told(event)) is not None:
            _log(f"{utc_now()} {line}")
        recorder.record(event)
    if status is None:
        raise RuntimeError("the engine ended without saying how")
    return status


def _told(event: events.Event) -> str | None:
    """An event as a line of the log, if a person would look for it there."""
    if isinstance(event, events.Started):
        return f"begins at step {event.step} of {event.total_steps} on {event.device} ({event.device_name})"
    if isinstance(event, events.CheckpointWritten):
        return f"step {event.step}: wrote {event.path}"
    if isinstance(event, events.SamplesWritten):
        return f"step {event.step}: drew {event.path}"
    if isinstance(event, events.Evaluated):
        return (
            f"step {event.step}: FID {humanize.distance(event.fid)} of {event.samples} images, "
            f"protocol {event.protocol_id}"
        )
    if isinstance(event, events.Restored) and event.done == event.count - event.failed:
        return f"restored {event.done} images; {event.failed} could not be"
    if isinstance(event, events.BitsPerDim) and event.done == event.count:
        error = "" if event.error is None else f" ± {event.error:.4f}"
        found = f"{event.bits_per_dim:.4f}{error} bits/dim"
        return f"step {event.step}: {found} of {event.count} {event.split} images"
    if isinstance(event, events.Notice):
        return event.text
    return f"{event.status} at step {event.step}" if isinstance(event, events.Ended) else None


def _engine(run: RunDirectory, config: Config) -> Engine:
    info = run.info
    device = str(info.get("device") or "auto")
    source = pinning.source_of(run.path, info)
    if info["kind"] == "train":
        from ddpm.training import Training

        return Training(
            config,
            run.path,
            device=device,
            data_root=_data_root(run),
            start_from=source,
            places=_places(run, config),
        )
    if info["kind"] not in ("sample", "evaluate", "restore", "likelihood"):
        raise RunError(f"run.json: this version knows no runs of kind {info['kind']!r}")
    if source is None:
        raise RunError(f"run.json names no checkpoint to {info['kind']} from")
    origin = "/".join(Path(info["checkpoint"] or source).parts[-3:])  # run and step, not the machine's path
    if info["kind"] == "sample":
        from ddpm.generation import Generation

        return Generation(config, source, run.path, device=device, origin=origin)
    if info["kind"] == "restore":
        from ddpm.restoration.restoration import Restoration

        return Restoration(
            config,
            source,
            run.path,
            inputs=info["inputs"],
            data_root=_data_root(run),
            out=Path(info["out"]) if info["out"] else None,
            device=device,
            origin=origin,
        )
    if info["kind"] == "likelihood":
        from ddpm.likelihood.likelihood import Likelihood

        return Likelihood(config, source, run.path, data_root=_data_root(run), device=device)
    from ddpm.evaluation.evaluation import Evaluation

    return Evaluation(config, source, run.path, places=_places(run, config), device=device, origin=origin)


def _data_root(run: RunDirectory) -> Path:
    root = run.info.get("data_root")
    if root is None:
        raise RunError("run.json does not say where the data lie (data_root)")
    return Path(root)


def _places(run: RunDirectory, config: Config) -> Places:
    """Of an evaluation: weights that the run names, else those in the home that it lies in."""
    home, weights = Home(run.path.parent.parent), run.info["weights"]
    classifier = config.evaluation.classifier
    return Places(
        _data_root(run),
        Path(weights) if weights else None,
        home.weights,
        home.references,
        Path(classifier) if classifier else None,
    )


# -- handing samples over ---------------------------------------------------------------------------


def _hand_over(run: RunDirectory) -> None:
    """Copy a sampling run's grid or images to where `--out` wants them."""
    target = run.info.get("out")
    if run.kind != "sample" or target is None:
        return
    out = Path(target)
    try:
        if out.suffix.lower() == ".png":
            out.parent.mkdir(parents=True, exist_ok=True)
            _copy(run.path / "samples" / "grid.png", out)
            return
        out.mkdir(parents=True, exist_ok=True)
        for image in sorted((run.path / "images").glob("*.png")):
            _copy(image, out / image.name)
    except OSError as error:
        raise RunError(
            f"{out} could not be written: {error.strerror}; the images are in {run.path / 'images'}"
        ) from None


def _copy(source: Path, target: Path) -> None:
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        shutil.copyfile(source, temporary)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


# -- words ------------------------------------------------------------------------------------------


def _expected(error: Exception) -> bool:
    """Whether the message says all, without a traceback."""
    if isinstance(error, OSError):
        return error.errno in _NO_SPACE
    return isinstance(error, EngineError | RunError | ConfigError)


def _message(error: Exception) -> str:
    """Why the run failed, in one line."""
    if isinstance(error, OSError) and error.errno in _NO_SPACE:
        place = f" ({error.filename})" if error.filename else ""
        text = f"disk full{place}: {error.strerror}; free some and resume"
    elif isinstance(error, MemoryError):
        text = "out of memory: try a smaller batch_size"
    elif _expected(error):
        text = str(error)
    else:
        text = f"{type(error).__name__}: {error}"
    return " ".join(text.split())[:_MESSAGE_LENGTH]


def _log(text: str) -> None:
    """To log.txt, which is our standard error; without it (a full disk) the work still matters more."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def _set_up_output() -> None:
    """The log is UTF-8 whatever the locale, line by line, and tells of crashes in native code too."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    faulthandler.enable()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
