"""The columns of a run that follow from its files taken together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runs import evaluations, files, likelihoods
from runs.record import Progress

#: What a run of each kind counts, where that is not training.steps.
_PLANNED = {
    "sample": ("sampling", "count"),
    "evaluate": ("evaluation", "samples"),
    "restore": ("restoration", "count"),
}


def config_values(path: Path, kind: str) -> dict[str, Any]:
    """Columns of `record` from config.toml: its values as they stand, and what is wrong with the file."""
    import tomllib  # here, as most syncs meet no new configuration

    values: dict[str, Any] = {"config": "{}", "config_error": None, "planned_steps": None}
    values["config_stamp"] = files.stamp(path)
    try:
        config = tomllib.loads(files.read_small(path).decode())
        values["config"] = files.dump(files.as_plain(config))
    except OSError as error:
        return values | {"config_error": f"config.toml: {error.strerror}"}
    except (ValueError, RecursionError, files.UnreadableError) as error:
        return values | {"config_error": files.as_text(f"config.toml: {error}")}
    section, key = _PLANNED.get(kind, ("training", "steps"))
    if isinstance(config.get(section), dict):
        values["planned_steps"] = files.as_whole(config[section].get(key))
    return values


def run_values(
    kind: str,
    status: str,
    progress: Progress,
    *,
    planned_steps: int | None,
    requested_device: str | None,
    exit_info: dict[str, Any],
    newest: Sequence[tuple[int, float | None, float | None, float | None]],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Columns of `run` and of `record`; `newest` has (step, time, loss, images/s), newest first."""
    step, total = progress.step, progress.total_steps or planned_steps
    if kind == "restore":
        found = progress.restored
        step, total = (found["done"] + found["failed"], found["count"]) if found else (None, planned_steps)
    elif kind == "sample":
        frame = progress.frame or {"done": None if step is None else 0, "count": planned_steps}
        step, total = frame["done"], frame["count"]
    elif kind == "likelihood":
        step = None if step is None else likelihoods.measured(progress.likelihood)
        total = progress.dataset_size
    elif kind == "evaluate":
        step, total = None if step is None else progress.drawn or 0, planned_steps
    requested = None if requested_device == "auto" else requested_device
    told = status in ("finished", "stopped", "failed")
    ended_at = files.as_time(exit_info.get("ended_at")) or progress.ended_at
    error = files.as_text(exit_info.get("message"))
    if error is None and (status == "failed" or not exit_info):
        error = progress.error  # of an earlier end, if this one came before the start was recorded
    values = {
        "status": status,
        "step": step,
        "total_steps": total,
        "images_seen": progress.images_seen,
        "loss": newest[0][2] if newest else None,
        "images_per_second": newest[0][3] if newest else None,
        "device": progress.device or requested,
        "ended_at": ended_at if told else None,
        "seconds_left": None,
        "preparing": None,
        "waits_for": progress.waits_for if status == "running" else None,
    }
    if values["waits_for"] is None and status == "running" and step is not None and total is not None:
        values["seconds_left"] = _seconds_left(kind, progress, newest, max(0, total - step))
    if status == "running" and kind == "evaluate":
        values["preparing"] = evaluations.preparing(progress.evaluating)
    return values, {"error": error if told else None}


def _seconds_left(
    kind: str, progress: Progress, newest: Sequence[tuple[Any, ...]], left: int
) -> float | None:
    """Of the run; of an evaluating one only once it draws, as how long that takes is not known before."""
    if kind == "evaluate":
        state = progress.evaluating
        return evaluations.seconds_left(state) if state and state["stage"] == "samples" else None
    if kind == "likelihood":
        return _measuring_seconds(progress, left)
    rate = _sampling_rate(progress) if kind in ("sample", "restore") else _training_rate(progress, newest)
    return left / rate if rate else None


def _measuring_seconds(progress: Progress, left: int) -> float | None:
    """By the pace since the start."""
    done = likelihoods.measured(progress.likelihood) - progress.measured_before
    if progress.measured_time is None or progress.resumed_at is None or done <= 0:
        return None
    return left * max(0.0, progress.measured_time - progress.resumed_at) / done


def _training_rate(progress: Progress, newest: Sequence[tuple[Any, ...]]) -> float | None:
    """Steps per second over the newest rows of this start; its first row counts the start itself."""
    since = progress.resumed_at or 0.0
    points = [(row[0], row[1]) for row in newest if row[1] is not None and row[1] >= since]
    if len(points) == 1 and progress.resumed_at is not None and progress.resumed_step is not None:
        points.append((progress.resumed_step, progress.resumed_at))
    if len(points) < 2:
        return None
    steps, seconds = points[0][0] - points[-1][0], points[0][1] - points[-1][1]
    return steps / seconds if steps > 0 and seconds > 0 else None


def _sampling_rate(progress: Progress) -> float | None:
    """Images per second since the start, by the steps done: images are finished in batches."""
    frame, start, now = progress.frame, progress.resumed_at, progress.frame_time
    if frame is None or start is None or now is None or now <= start or not frame["total"]:
        return None
    done = frame["index"] / frame["total"]
    left = frame["count"] - frame["done"]
    seconds_left = (now - start) / done * (1 - done) if done else 0
    return left / seconds_left if seconds_left > 0 else None
