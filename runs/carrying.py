"""Carrying weights out of a run and making a run of weights; the work itself is `ddpm.carrying`'s, which
has torch and is a process of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ddpm import checkpoint, configfiles, events
from runs import names
from runs.checks import absolute_paths, check_can_be_made, checkpoint_of
from runs.creation import create_locked
from runs.directory import RunDirectory, pretty, take_lock, told
from runs.engine import answers
from runs.errors import RunError
from runs.home import Home, data_root
from runs.supervisor import utc_now, write_atomic

MODULE = "ddpm.carrying"
#: What a run can be carried to, and how its numbers may be stored.
KINDS = ("diffusers", "safetensors", "torch", "onnx")
TYPES = ("float32", "float16", "bfloat16")

_STAGED = ".import-"


def export(
    run: RunDirectory, step: int, out: Path, *, to: str, dtype: str, settings: Sequence[str] = ()
) -> dict[str, Any]:
    """Write a checkpoint into the new or empty folder `out`; what `ddpm.carrying.exporting.export` returns.

    settings: of [sampling], which weights. RunError where it cannot be carried, with the reasons.
    """
    source = checkpoint_of(run, step)
    if out.resolve().is_relative_to(run.path.parent.resolve()):
        raise RunError(f"{out} is in the folder of the runs, where there are only runs; choose another")
    check_can_be_made(out)
    options = [f"--to={to}", f"--dtype={dtype}", f"--name={run.name}"]
    if preset := run.info["preset"]:
        options.append(f"--preset={preset}")
    given = [*options, *(f"--set={setting}" for setting in settings)]
    return _result("export", *given, "--", str(source), str(run.path / "config.toml"), str(out))


def new_import(
    home: Home,
    folder: Path,
    settings: Sequence[str] = (),
    *,
    name: str | None = None,
    tags: Sequence[str] = (),
    notes: str = "",
    command: Sequence[str] = (),
) -> tuple[RunDirectory, list[str]]:
    """A finished training with one checkpoint (and its guide's), made of a folder of weights; and what is to
    be said of it.

    RunError, and nothing is left behind, where the folder is broken or holds what cannot be carried, the
    name is taken, or nothing can be written.
    """
    if name is not None:
        names.check_name(name)
    with _staging(home) as staged:
        result = _result("import", *(f"--set={s}" for s in settings), "--", str(folder), str(staged))
        config = absolute_paths(configfiles.load(staged / "config.toml"))
        saved = checkpoint.whole(staged)

        def fill(run: Path) -> None:
            (staged / "checkpoints").rename(run / "checkpoints")
            _record(RunDirectory(run), saved, result)

        run, lock = create_locked(
            home,
            kind="train",
            config=config,
            name=name,
            stem=_stem(folder, result),
            preset=result["preset"],
            tags=tags,
            notes=notes,
            data_root=data_root(home, config.data.root),
            command=command,
            imported=_imported(folder, result),
            fill=fill,
        )
        os.close(lock)
    return run, list(result["notes"])


def _record(run: RunDirectory, saved: Sequence[checkpoint.Checkpoint], result: dict[str, Any]) -> None:
    """The record of a training that is over. What nobody knows (of diffusers' folders, the steps) is null."""
    step, images, now = result["step"], result["images_seen"], utc_now()
    if step is not None:
        known = {"step": step, "images_seen": images, "parameters": result["parameters"]}
        run.append_event({"event": "started", "time": now, **known, "dataset": result["dataset"]})
    for one in saved:
        place = f"checkpoints/{one.path.name}"
        written = events.CheckpointWritten(one.step, one.images_seen, place, one.size, milestone=True)
        run.append_event(events.to_record(written, now))
    run.append_event(events.to_record(events.Ended("finished", step, images), now), sync=True)
    end = {"code": 0, "signal": None, "out_of_memory": False, "started_at": now, "ended_at": now}
    write_atomic(run.path / "exit.json", pretty({"status": "finished", **end, "message": None}))


def _imported(folder: Path, result: dict[str, Any]) -> dict[str, str]:
    """What the run was made of, for its provenance."""
    told = {"format": result["format"], "folder": str(folder), "sha256": result["sha256"]}
    return told | ({"guide_sha256": result["guide_sha256"]} if result["guide_sha256"] else {})


def _stem(folder: Path, result: dict[str, Any]) -> str:
    """What the run is called after: the run that it was, else the folder, as far as that can be a name."""
    for text in (result["name"], folder.resolve().name):
        try:
            return names.check_name(text or "")
        except RunError:
            continue
    return "imported"


@contextmanager
def _staging(home: Home) -> Iterator[Path]:
    """A folder on the disk of the runs, removed at the end; so are those that killed imports left."""
    with told(home.path), home.locked():
        for left in home.runs.glob(f"{_STAGED}*"):
            try:
                os.close(take_lock(left))
            except OSError:
                continue  # one at work
            shutil.rmtree(left, ignore_errors=True)
        path = Path(tempfile.mkdtemp(prefix=_STAGED, dir=home.runs))
        lock = take_lock(path)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def _result(*arguments: str) -> dict[str, Any]:
    with closing(answers(MODULE, *arguments)) as records:
        for record in records:
            if isinstance(record.get("result"), dict):
                result: dict[str, Any] = record["result"]
                return result
    raise RunError("the weights were carried without a result")
