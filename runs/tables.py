"""Writing the catalogue's rows, always inside a transaction of `Database.writing`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, func, insert, select, update

from runs import evaluations, files
from runs.identity import Found, Known
from runs.record import Batch, Progress
from runs.schema import checkpoint, evaluation, metric, record, run, sample

#: What is set follows from the parameters, so that both are compiled once for all runs.
_SAVE_RUN = update(run).where(run.c.id == bindparam("_id"))
_SAVE_RECORD = update(record).where(record.c.run_id == bindparam("_id"))

#: Rows of metrics that the time left is reckoned from.
_RATE_ROWS = 20


def known(connection: Connection) -> list[Known]:
    columns = (run.c.id, run.c.uuid, run.c.name, run.c.directory)
    return [Known(*row) for row in connection.execute(select(*columns))]


def remove(connection: Connection, ids: Iterable[int]) -> None:
    for run_id in ids:
        connection.execute(delete(run).where(run.c.id == run_id))


def register(connection: Connection, found: Sequence[Found]) -> None:
    """Write what run.json says of each run, new or known."""
    _rename(
        connection, [item for item in found if item.current and _identity(item) != _identity(item.current)]
    )
    new = [item for item in found if item.current is None]
    if new:
        connection.execute(insert(run), [_identity(i) | _run_values(i) | {"status": i.status} for i in new])
        blank = {"config": "{}", "progress": Progress().dump(), "events_offset": 0}
        connection.execute(insert(record), [{"run_id": i.id} | _record_values(i) | blank for i in new])
    for item in found:
        if item.current is not None:
            connection.execute(update(run).where(run.c.id == item.id).values(_run_values(item)))
            connection.execute(update(record).where(record.c.run_id == item.id).values(_record_values(item)))


def _rename(connection: Connection, moved: Sequence[Found]) -> None:
    """New identities of known runs: first out of each other's way, as two may have swapped names."""
    places = {}
    for item in moved:
        assert item.current is not None
        places[item.id] = place = item.current.id if item.id == item.current.id else -item.current.id
        aside = f"\0{item.current.id}"
        values = {"id": place, "uuid": aside, "name": aside, "directory": aside}
        connection.execute(update(run).where(run.c.id == item.current.id).values(values))
    for item in moved:
        connection.execute(update(run).where(run.c.id == places[item.id]).values(_identity(item)))


def connect_parents(connection: Connection) -> None:
    """Number the parents, after runs came or went."""
    other = run.alias()
    parent = select(other.c.id).where(other.c.uuid == run.c.parent_uuid).scalar_subquery()
    connection.execute(update(run).where(run.c.parent.is_not(parent)).values(parent=parent))


def _identity(item: Found | Known) -> dict[str, Any]:
    return {"id": item.id, "uuid": item.uuid, "name": item.name, "directory": item.directory}


def _run_values(item: Found) -> dict[str, Any]:
    info = item.info
    search = [item.name, info["preset"], info["kind"], *info["tags"], info["notes"], f"#{item.id}"]
    return {
        "kind": info["kind"],
        "preset": info["preset"],
        "tags": files.dump(info["tags"]),
        "created_at": info["created_at"],
        "parent_uuid": info["parent_uuid"],
        "search": files.casefolded(search),
        "info_stamp": item.stamp,
    }


def _record_values(item: Found) -> dict[str, Any]:
    info = item.info
    return {
        "notes": info["notes"],
        "provenance": files.dump(info["provenance"]),
        "command": files.dump(info["command"]),
        "requested_device": info["device"],
    }


# -- events ------------------------------------------------------------------------------------------


def write_batch(connection: Connection, run_id: int, batch: Batch, *, first: bool, restart: bool) -> None:
    """The rows of some lines: the `first` of a run, or, with `restart`, instead of all that are there."""
    void_above = -1 if restart else batch.void_above
    if void_above is not None and not first:
        for table in (metric, checkpoint, sample, evaluation):
            connection.execute(delete(table).where(table.c.run_id == run_id, table.c.step > void_above))
    for step in () if first else batch.removed:
        connection.execute(delete(checkpoint).where(checkpoint.c.run_id == run_id, checkpoint.c.step == step))
    tables: tuple[tuple[Table, dict[Any, tuple[Any, ...]]], ...] = (
        (metric, batch.metrics),
        (checkpoint, batch.checkpoints),
        (sample, batch.samples),
        (evaluation, batch.evaluations),
    )
    for table, rows in tables:
        if rows:
            marks = ", ".join("?" * len(table.columns))
            values = [(run_id, *row) for row in rows.values()]
            # The driver itself: building each row's parameters by name would take most of an import's time.
            connection.exec_driver_sql(f"INSERT OR REPLACE INTO {table.name} VALUES ({marks})", values)
    if batch.evaluations or (void_above is not None and not first):
        evaluations.rank(connection, run_id)


def latest_metrics(connection: Connection, run_id: int) -> list[tuple[Any, ...]]:
    """(step, time, loss, images_per_second) of the newest rows, newest first."""
    columns = (metric.c.step, metric.c.time, metric.c.loss, metric.c.images_per_second)
    query = select(*columns).where(metric.c.run_id == run_id).order_by(metric.c.step.desc())
    return [tuple(row) for row in connection.execute(query.limit(_RATE_ROWS))]


def save(connection: Connection, run_id: int, run_values: dict[str, Any], rest: dict[str, Any]) -> None:
    connection.execute(_SAVE_RUN, run_values | {"_id": run_id})
    connection.execute(_SAVE_RECORD, rest | {"_id": run_id})


def offsets(connection: Connection, ids: Sequence[int]) -> dict[int, tuple[str, int, int | None]]:
    """(uuid, offset, inode) as they are now, by run."""
    columns = (run.c.id, run.c.uuid, record.c.events_offset, record.c.events_inode)
    query = select(*columns).join(record).where(run.c.id.in_(ids))
    return {row.id: (row.uuid, row.events_offset, row.events_inode) for row in connection.execute(query)}


def count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(run)).scalar_one()
