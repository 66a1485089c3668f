"""From the catalogue's file of an older version to today's, one step a version.

The steps are written out, not taken from runs/schema.py: that goes on changing, an old file does not.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from runs import schema


def climb(connection: Connection, version: int) -> None:
    """Take the tables of a file of `version` to schema.VERSION."""
    for step in _STEPS[version - 1 :]:
        step(connection)


def _evaluations(connection: Connection) -> None:
    """Version 2 has evaluations. Runs that may have some are forgotten, so that the next sync reads them
    anew: version 1 passed over what their records say of evaluations."""
    connection.exec_driver_sql("""
        CREATE TABLE evaluation (
            run_id INTEGER NOT NULL,
            step INTEGER NOT NULL,
            protocol_id TEXT NOT NULL,
            images_seen INTEGER,
            fid REAL NOT NULL,
            kid REAL,
            kid_error REAL,
            precision REAL,
            recall REAL,
            density REAL,
            coverage REAL,
            classifier_fd REAL,
            floor TEXT,
            samples INTEGER,
            seed INTEGER,
            protocol TEXT NOT NULL,
            seconds REAL,
            created_at TEXT NOT NULL,
            PRIMARY KEY (run_id, step, protocol_id),
            FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE CASCADE ON UPDATE CASCADE
        ) WITHOUT ROWID
    """)
    connection.exec_driver_sql("""
        DELETE FROM run WHERE kind NOT IN ('train', 'sample') OR id IN (
            SELECT run_id FROM record WHERE json_extract(config, '$.evaluation.every') > 0
        )
    """)


def _decisive(connection: Connection) -> None:
    """From version 3 on a run's FID is of its latest checkpoint by the most images, not the newest."""
    connection.exec_driver_sql("""
        UPDATE run SET fid = (
            SELECT evaluation.fid FROM evaluation JOIN run AS maker ON maker.id = evaluation.run_id
            WHERE maker.id = run.id OR (maker.kind = 'evaluate' AND maker.parent = run.id)
            ORDER BY evaluation.step DESC, samples DESC, evaluation.created_at DESC, run_id DESC,
                     protocol_id DESC
            LIMIT 1
        ) WHERE fid IS NOT NULL
    """)


def _preparing(connection: Connection) -> None:
    """From version 4 on a running evaluation's row tells how much of the reference is done."""
    connection.exec_driver_sql("ALTER TABLE run ADD COLUMN preparing REAL")


def _waiting(connection: Connection) -> None:
    """From version 5 on a row tells which run it waits for."""
    connection.exec_driver_sql("ALTER TABLE run ADD COLUMN waits_for INTEGER")


#: Step N takes a file of version N + 1 to the next.
_STEPS: tuple[Callable[[Connection], None], ...] = (_evaluations, _decisive, _preparing, _waiting)
assert len(_STEPS) == schema.VERSION - 1
