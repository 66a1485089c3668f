"""Series of metrics reduced inside SQLite: charts and sparks never read all rows."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from runs.errors import RunError
from runs.rows import METRICS, Bucket

_LOWEST = -1e308
AXES = ("images_seen", "step", "time")

#: Rows behind one value of a spark: its latest, so that a long series costs no more than a short one.
_SPARK_ROWS = 16


def buckets(
    connection: Connection,
    run_id: int,
    metric: str,
    count: int,
    x: str,
    first: float | None,
    last: float | None,
) -> list[Bucket]:
    """At most `count` buckets of equal width in x over [first, last], by default all there is.

    Buckets without a point are left out; `x` of a bucket is the mean of its points.
    """
    _check(metric, METRICS)
    _check(x, AXES)
    count = max(1, count)
    within = (_LOWEST if first is None else first, -_LOWEST if last is None else last)
    rows = connection.exec_driver_sql(
        f"""
        WITH point AS NOT MATERIALIZED (
            SELECT step, CAST({x} AS REAL) AS x, {metric} AS y FROM metric
            WHERE run_id = ? AND y IS NOT NULL AND x BETWEEN ? AND ?
        ), span AS MATERIALIZED (  -- x grows with the steps of a run: its ends need no search
            SELECT coalesce(?, (SELECT x FROM point ORDER BY step LIMIT 1)) AS low,
                coalesce(?, (SELECT x FROM point ORDER BY step DESC LIMIT 1)) AS high
        )
        SELECT avg(x), min(y), max(y), avg(y) FROM point, span
        GROUP BY max(0, min(?, CAST((x - low) * ? / (high - low) AS INTEGER))) ORDER BY min(x)
        """,
        (run_id, *within, first, last, count - 1, count),
    )
    return [Bucket(*row) for row in rows]


def sparks(connection: Connection, run_ids: Sequence[int], metric: str, count: int) -> dict[int, list[float]]:
    """For each run that has any, up to `count` values, oldest first: means of its parts of equal length.

    Each mean is of the last few rows of its part, found by their key.
    """
    _check(metric, METRICS)
    if not run_ids or count < 1:
        return {}
    found: dict[int, list[float]] = {}
    rows = connection.exec_driver_sql(
        f"""
        WITH RECURSIVE part(number) AS (
            SELECT 1 UNION ALL SELECT number + 1 FROM part WHERE number < ?
        ), span AS MATERIALIZED (
            SELECT run.id AS id,
                (SELECT min(step) FROM metric WHERE run_id = run.id) AS low,
                (SELECT max(step) FROM metric WHERE run_id = run.id) AS high
            FROM run WHERE run.id IN ({", ".join("?" * len(run_ids))})
        )
        SELECT id, (
            SELECT avg(y) FROM (
                SELECT {metric} AS y FROM metric
                WHERE run_id = id AND step <= low + (high - low) * number / ?
                    AND step > low + (high - low) * (number - 1) / ? - (number = 1)
                ORDER BY step DESC LIMIT {_SPARK_ROWS}
            )
        ) AS mean FROM span, part WHERE low IS NOT NULL ORDER BY id, number
        """,
        (count, *run_ids, count, count),
    )
    for run_id, mean in rows:
        if mean is not None:
            found.setdefault(run_id, []).append(mean)
    return found


def _check(name: str, known: Sequence[str]) -> None:
    """Names go into the SQL as they are, so only known ones may."""
    if name not in known:
        raise RunError(f"no series {name!r}; there are {', '.join(known)}")
