"""What the lines of events.jsonl say, folded into rows for the catalogue.

A `Batch` takes some lines in their order. What it then holds, written over the rows of the lines before it
(first `void_above`, then `removed`, then the rows), gives the same tables however the file was cut.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, BinaryIO

from runs import evaluations, files, likelihoods

#: Lines that are read at once.
BATCH_LINES = 5_000
#: Bytes that are read at once, give or take a line.
_BATCH_BYTES = 8_000_000
#: Bytes of a line; a longer one is skipped, so that memory stays bounded.
LINE_LIMIT = 1_000_000
_NOTICES_KEPT = 50


@dataclass(slots=True)
class Progress:
    """The state of a run after the lines read so far. Unknown is None; times are ISO 8601 or seconds."""

    step: int | None = None
    images_seen: int | None = None
    total_steps: int | None = None
    device: str | None = None
    device_name: str | None = None
    parameters: int | None = None
    dataset_size: int | None = None
    started_at: str | None = None  #: of the first start
    resumed_at: float | None = None  #: of the latest start, in seconds
    resumed_step: int | None = None
    ended_at: str | None = None
    error: str | None = None
    notices: list[str] = field(default_factory=list)
    frame: dict[str, Any] | None = None  #: fields of rows.DenoisingRow, paths relative
    frame_time: float | None = None
    restored: dict[str, Any] | None = None  #: fields of rows.RestoredRow, paths relative
    likelihood: dict[str, dict[str, Any]] = field(default_factory=dict)  #: by part, fields of LikelihoodRow
    measured_before: int = 0  #: images that a likelihood run had measured at its latest start
    measured_time: float | None = None  #: when it last told, in seconds
    #: Fields of events.Evaluating and what their pace is reckoned from (`runs.evaluations.followed`); None
    #: where no evaluation is at work.
    evaluating: dict[str, Any] | None = None
    drawn: int | None = None  #: images that an evaluation has drawn, its earlier starts' too
    waits_for: int | None = None  #: number of the run that it waits for
    bad_lines: int = 0

    @classmethod
    def load(cls, text: str) -> Progress:
        known = {item.name for item in fields(cls)}
        return cls(**{key: value for key, value in files.load(text).items() if key in known})

    def dump(self) -> str:
        return files.dump(asdict(self))


@dataclass(slots=True)
class Batch:
    """Rows to write, by their keys, without the run's id; columns as in runs/schema.py."""

    progress: Progress
    void_above: int | None = None  #: rows of earlier batches beyond this step go
    removed: set[int] = field(default_factory=set)  #: checkpoints of earlier batches that go
    metrics: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    checkpoints: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    samples: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    evaluations: dict[tuple[int, str], tuple[Any, ...]] = field(default_factory=dict)

    def add(self, line: bytes) -> None:
        """Take one line. What is no event of ours changes nothing; what is broken is counted."""
        event = files.parse(line)
        if not isinstance(event, dict):
            self.progress.bad_lines += 1
            return
        handler = _HANDLERS.get(str(event.get("event")))
        if handler is not None and not handler(self, event):
            self.progress.bad_lines += 1

    def _reach(self, event: dict[str, Any]) -> int | None:
        step = files.as_whole(event.get("step"))
        if step is not None:
            self.progress.step = step
            self.progress.images_seen = files.as_whole(event.get("images_seen"))
        return step

    def _started(self, event: dict[str, Any]) -> bool:
        step = self._reach(event)
        if step is None:
            return False
        self.void_above = step if self.void_above is None else min(self.void_above, step)
        self.metrics = {key: row for key, row in self.metrics.items() if key <= step}
        self.checkpoints = {key: row for key, row in self.checkpoints.items() if key <= step}
        self.samples = {key: row for key, row in self.samples.items() if row[1] <= step}
        self.evaluations = {key: row for key, row in self.evaluations.items() if key[0] <= step}
        progress = self.progress
        progress.total_steps = files.as_whole(event.get("total_steps"))
        progress.device = files.as_text(event.get("device"))
        progress.device_name = files.as_text(event.get("device_name"))
        progress.parameters = files.as_whole(event.get("parameters"))
        progress.dataset_size = files.as_whole(event.get("dataset_size"))
        progress.started_at = progress.started_at or files.as_time(event.get("time"))
        progress.resumed_at, progress.resumed_step = files.as_seconds(event.get("time")), step
        progress.ended_at = progress.error = progress.frame = progress.frame_time = None
        progress.evaluating = progress.measured_time = progress.waits_for = None
        progress.measured_before = likelihoods.measured(progress.likelihood)
        return True

    def _metrics(self, event: dict[str, Any]) -> bool:
        step = self._reach(event)
        if step is None:
            return False
        self.progress.evaluating = None  # if one was at work, it failed and the training goes on
        get, number = event.get, files.as_number
        self.metrics[step] = (
            step,
            self.progress.images_seen,
            files.as_seconds(get("time")),
            number(get("loss")),
            number(get("learning_rate")),
            number(get("gradient_norm")),
            number(get("images_per_second")),
        )
        return True

    def _checkpoint_written(self, event: dict[str, Any]) -> bool:
        path = files.as_inner_path(event.get("path"))
        step = files.as_whole(event.get("step"))
        if path is None or step is None:
            return False
        self.checkpoints[step] = (
            step,
            files.as_whole(event.get("images_seen")),
            path,
            files.as_whole(event.get("bytes")),
            int(event.get("milestone") is True),
            files.as_time(event.get("time")) or "",
        )
        return True

    def _checkpoint_removed(self, event: dict[str, Any]) -> bool:
        step = files.as_whole(event.get("step"))
        if step is None:
            return False
        self.checkpoints.pop(step, None)
        self.removed.add(step)
        return True

    def _samples_written(self, event: dict[str, Any]) -> bool:
        path = files.as_inner_path(event.get("path"))
        step = files.as_whole(event.get("step"))
        if path is None or step is None:
            return False
        self.samples[path] = (
            path,
            step,
            files.as_whole(event.get("images_seen")),
            files.as_whole(event.get("count")),
            files.as_whole(event.get("seed")),
            files.as_text(event.get("sampler")),
            files.as_whole(event.get("sampler_steps")),
            files.as_time(event.get("time")) or "",
        )
        return True

    def _denoising(self, event: dict[str, Any]) -> bool:
        numbers = {key: files.as_whole(event.get(key)) for key in _FRAME_NUMBERS}
        if None in numbers.values():
            return False
        paths = {key: files.as_inner_path(event.get(key)) for key in ("x_t", "x_0")}
        self.progress.frame = {**numbers, **paths}
        self.progress.frame_time = files.as_seconds(event.get("time"))
        return True

    def _restored(self, event: dict[str, Any]) -> bool:
        counts = {key: files.as_whole(event.get(key)) for key in ("done", "failed", "count")}
        if None in counts.values():
            return False
        means = ("input_psnr", "input_ssim", "psnr", "ssim", "sigma")
        numbers = {key: files.as_number(event.get(key)) for key in means}
        pictures = ("degraded", "restored", "truth", "spread")
        paths = {key: files.as_inner_path(event.get(key)) for key in pictures}
        self.progress.restored = {**counts, **numbers, **paths}
        return True

    def _bits_per_dim(self, event: dict[str, Any]) -> bool:
        found = likelihoods.fields(event)
        if found is None:
            return False
        self.progress.likelihood = {**self.progress.likelihood, found["split"]: found}
        self.progress.measured_time = files.as_seconds(event.get("time"))
        return True

    def _evaluating(self, event: dict[str, Any]) -> bool:
        stage, seconds = files.as_text(event.get("stage"), 40), files.as_number(event.get("seconds"))
        done, total = files.as_whole(event.get("done")), files.as_whole(event.get("total"))
        if stage is None or seconds is None or done is None or total is None:
            return False
        now = {"stage": stage, "done": done, "total": total, "seconds": seconds}
        self.progress.evaluating = evaluations.followed(self.progress.evaluating, now)
        if stage == "samples":
            self.progress.drawn = done
        return True

    def _evaluated(self, event: dict[str, Any]) -> bool:
        found = evaluations.row(event)
        if found is None:
            return False
        self.evaluations[found[0], found[1]] = found
        self.progress.evaluating, self.progress.drawn = None, files.as_whole(event.get("samples"))
        return True

    def _waiting(self, event: dict[str, Any]) -> bool:
        progress, number = self.progress, event.get("run")
        progress.waits_for = files.as_whole(number)
        progress.evaluating = progress.frame = progress.measured_time = None  # of an earlier start
        progress.resumed_at = None
        return number is None or progress.waits_for is not None

    def _notice(self, event: dict[str, Any]) -> bool:
        text = files.as_text(event.get("text"))
        if text is None:
            return False
        notices = [known for known in self.progress.notices if known != text]
        self.progress.notices = [*notices, text][-_NOTICES_KEPT:]
        return True

    def _ended(self, event: dict[str, Any]) -> bool:
        self._reach(event)
        self.progress.waits_for = None
        self.progress.ended_at = files.as_time(event.get("time"))
        self.progress.error = files.as_text(event.get("message"))
        return True


_FRAME_NUMBERS = ("index", "total", "timestep", "done", "count")

_HANDLERS: dict[str, Callable[[Batch, dict[str, Any]], bool]] = {
    "started": Batch._started,
    "metrics": Batch._metrics,
    "checkpoint_written": Batch._checkpoint_written,
    "checkpoint_removed": Batch._checkpoint_removed,
    "samples_written": Batch._samples_written,
    "denoising": Batch._denoising,
    "restored": Batch._restored,
    "bits_per_dim": Batch._bits_per_dim,
    "evaluating": Batch._evaluating,
    "evaluated": Batch._evaluated,
    "waiting": Batch._waiting,
    "notice": Batch._notice,
    "ended": Batch._ended,
}


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines of a file, and where they ended."""

    lines: list[bytes]
    skipped: int  #: lines longer than LINE_LIMIT
    start: int
    end: int
    inode: int | None
    mtime: int  #: of the file, in ns
    full: bool  #: there may be more


def read_chunk(path: Path, offset: int, inode: int | None) -> Chunk:
    """The next whole lines from `offset`; from the start when the file is not the one read before.

    A last line without its end stays for the next time. No file is an empty one. OSError where it cannot
    be read.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return Chunk([], 0, 0, 0, None, 0, False)
    with file:
        found = os.fstat(file.fileno())
        replaced = inode is not None and found.st_ino != inode
        if offset and (replaced or found.st_size < offset or not _ends_line(file, offset)):
            offset = 0
        file.seek(offset)
        lines: list[bytes] = []
        skipped, end = 0, offset
        while not (full := len(lines) == BATCH_LINES or end - offset > _BATCH_BYTES):
            line, length = _read_line(file)
            if not line.endswith(b"\n"):
                break
            end += length
            if length > LINE_LIMIT:
                skipped += 1
            else:
                lines.append(line)
        return Chunk(lines, skipped, offset, end, found.st_ino, found.st_mtime_ns, full)


def _read_line(file: BinaryIO) -> tuple[bytes, int]:
    """The next line and its length; of a line that is too long only its end."""
    line = file.readline(LINE_LIMIT)
    length = len(line)
    while len(line) == LINE_LIMIT and not line.endswith(b"\n"):
        line = file.readline(LINE_LIMIT)
        length += len(line)
    return line, length


def _ends_line(file: BinaryIO, offset: int) -> bool:
    return os.pread(file.fileno(), 1, offset - 1) == b"\n"
