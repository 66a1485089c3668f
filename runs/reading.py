"""Rows of the catalogue's tables as the plain records of runs/rows.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from runs import evaluations, files, likelihoods
from runs.home import Home
from runs.record import Progress
from runs.rows import (
    CheckpointRow,
    DenoisingRow,
    LikelihoodRow,
    RestoredRow,
    RunDetail,
    RunRow,
    SampleRow,
)
from runs.schema import checkpoint, record, run, sample

#: In the order of RunRow, with the directory's name in place of its path.
ROW_COLUMNS = (
    *(run.c.id, run.c.name, run.c.kind, run.c.status, run.c.preset, run.c.step, run.c.total_steps),
    *(run.c.images_seen, run.c.loss, run.c.images_per_second, run.c.fid, run.c.device),
    *(run.c.created_at, run.c.ended_at, run.c.parent, run.c.directory, run.c.tags, run.c.seconds_left),
    *(run.c.preparing, run.c.waits_for),
)


def row_of(row: Sequence[Any], home: Home) -> RunRow:
    """A row of ROW_COLUMNS."""
    directory, tags, *rest = row[-5:]
    known_tags = () if tags == "[]" else tuple(files.load(tags))
    values: list[Any] = [*row[:-5], f"{home.runs}/{directory}", known_tags, *rest]
    return RunRow(*values)


def detail_of(connection: Connection, run_id: int, home: Home) -> RunDetail | None:
    """All that is known of a run, or None."""
    found = connection.execute(select(*ROW_COLUMNS).where(run.c.id == run_id)).first()
    rest = connection.execute(select(run.c.uuid, record).join(record).where(run.c.id == run_id)).first()
    if found is None or rest is None:
        return None
    row = row_of(found, home)
    progress = Progress.load(rest.progress)
    notices = [*progress.notices, *([rest.config_error] if rest.config_error else [])]
    if progress.bad_lines:
        notices.append(f"lines of events.jsonl that could not be read: {progress.bad_lines}")
    return RunDetail(
        row=row,
        uuid=rest.uuid,
        notes=rest.notes,
        error=rest.error,
        config=files.load(rest.config),
        provenance=files.load(rest.provenance),
        command=tuple(files.load(rest.command)),
        started_at=progress.started_at,
        parameters=progress.parameters,
        device_name=progress.device_name,
        dataset_size=progress.dataset_size,
        notices=tuple(notices),
        checkpoints=_checkpoints(connection, row),
        samples=_samples(connection, row),
        frame=_frame(progress, row),
        bytes=rest.bytes,
        parent_step=None if row.kind == "train" else progress.step,
        evaluations=evaluations.of_run(connection, run_id),
        restored=_restored(progress, row),
        likelihood=_likelihood(connection, row, rest.uuid, progress),
        evaluating=evaluations.evaluating(progress.evaluating) if row.status == "running" else None,
    )


def _likelihood(
    connection: Connection, row: RunRow, uuid: str, progress: Progress
) -> tuple[LikelihoodRow, ...]:
    """What the run itself has come to; of a training, the newest run of it that came to anything."""
    if row.kind != "train":
        return likelihoods.rows(progress.likelihood)
    newest = select(record.c.progress).join(run).where(run.c.parent_uuid == uuid, run.c.kind == "likelihood")
    for found in connection.execute(newest.order_by(run.c.id.desc())).scalars():
        if measured := likelihoods.rows(Progress.load(found).likelihood):
            return measured
    return ()


def _checkpoints(connection: Connection, row: RunRow) -> tuple[CheckpointRow, ...]:
    query = select(checkpoint).where(checkpoint.c.run_id == row.id).order_by(checkpoint.c.step)
    return tuple(
        CheckpointRow(
            step=found.step,
            images_seen=found.images_seen,
            path=f"{row.path}/{found.path}",
            bytes=found.bytes,
            milestone=bool(found.milestone),
            created_at=found.created_at or None,  # kept as "" where the event had no time
        )
        for found in connection.execute(query)
    )


def _samples(connection: Connection, row: RunRow) -> tuple[SampleRow, ...]:
    columns = [column for column in sample.columns if column is not sample.c.run_id]
    query = select(*columns).where(sample.c.run_id == row.id).order_by(sample.c.step, sample.c.path)
    found = connection.execute(query).mappings()
    return tuple(
        SampleRow(
            **{**values, "path": f"{row.path}/{values['path']}", "created_at": values["created_at"] or None}
        )
        for values in found
    )


def _frame(progress: Progress, row: RunRow) -> DenoisingRow | None:
    if progress.frame is None:
        return None
    paths = {key: progress.frame[key] and f"{row.path}/{progress.frame[key]}" for key in ("x_t", "x_0")}
    return DenoisingRow(**{**progress.frame, **paths})


def _restored(progress: Progress, row: RunRow) -> RestoredRow | None:
    found = progress.restored
    if found is None:
        return None
    pictures = ("degraded", "restored", "truth", "spread")
    return RestoredRow(**{**found, **{key: found[key] and f"{row.path}/{found[key]}" for key in pictures}})
