"""The tables of the catalogue: an index of the run directories, never the record itself.

`run` is what lists, sorts and filters read, kept narrow so that scanning it stays quick; `record` is the
rest of a run, and how far its files have been read. Only `runs/sync.py` and its helpers write.
"""

from __future__ import annotations

from sqlalchemy import REAL, Column, ForeignKey, Index, Integer, MetaData, Table, Text

#: In the file's header, so that a file of another program is told from ours ("ddpm").
APPLICATION_ID = 0x6464706D

#: Counts up with every change of the tables; `runs/ladder.py` takes older files to it.
VERSION = 5

metadata = MetaData()

run = Table(
    "run",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False, unique=True),
    Column("directory", Text, nullable=False, unique=True),  # its name below runs/
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("preset", Text),
    Column("step", Integer),
    Column("total_steps", Integer),
    Column("images_seen", Integer),
    Column("loss", REAL),
    Column("images_per_second", REAL),
    Column("fid", REAL),
    Column("device", Text),
    Column("created_at", Text, nullable=False),
    Column("ended_at", Text),
    Column("parent", Integer),  # id of the run with parent_uuid, where it is known
    Column("tags", Text, nullable=False),  # JSON list
    Column("seconds_left", REAL),
    Column("parent_uuid", Text, index=True),
    Column("search", Text, nullable=False),  # casefolded; what the filter looks in, status aside
    # Modification time of the directory when all was read and the run had ended; else NULL: look again.
    Column("settled", Integer),
    Column("info_stamp", Text, nullable=False),  # of run.json, see `runs.files.stamp`
    Column("preparing", REAL),  # of a running evaluation: how much of the reference is done
    Column("waits_for", Integer),  # of a running run that has not begun: number of the one before it
)

#: Fields of RunRow that a list can be sorted by, with the column that serves them.
SORTABLE = {
    name: run.c[name]
    for name in (
        *("id", "name", "kind", "status", "preset", "step", "total_steps", "images_seen", "loss"),
        *("images_per_second", "fid", "device", "created_at", "ended_at", "parent", "tags", "seconds_left"),
    )
} | {"path": run.c.directory}

for _name, _column in SORTABLE.items():
    if not (_column.primary_key or _column.unique):
        Index(f"run_by_{_name}", _column, run.c.id)


def _run_id(**options: bool) -> Column[int]:
    target = ForeignKey("run.id", ondelete="CASCADE", onupdate="CASCADE")
    return Column("run_id", Integer, target, **options)  # type: ignore[arg-type]


record = Table(
    "record",
    metadata,
    _run_id(primary_key=True),
    Column("notes", Text, nullable=False),
    Column("error", Text),
    Column("config", Text, nullable=False),  # JSON, nested as in config.toml
    Column("config_stamp", Text),
    Column("config_error", Text),
    Column("planned_steps", Integer),  # steps or images that the configuration asks for
    Column("provenance", Text, nullable=False),  # JSON
    Column("command", Text, nullable=False),  # JSON list
    Column("requested_device", Text),
    Column("bytes", Integer),
    Column("progress", Text, nullable=False),  # JSON of runs.record.Progress: events.jsonl so far, folded
    Column("events_offset", Integer, nullable=False),  # bytes of events.jsonl that are in the rows
    Column("events_inode", Integer),
)

metric = Table(
    "metric",
    metadata,
    _run_id(primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("images_seen", Integer),
    Column("time", REAL),  # seconds since 1970
    Column("loss", REAL),
    Column("learning_rate", REAL),
    Column("gradient_norm", REAL),
    Column("images_per_second", REAL),
    sqlite_with_rowid=False,
)

checkpoint = Table(
    "checkpoint",
    metadata,
    _run_id(primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("images_seen", Integer),
    Column("path", Text, nullable=False),  # relative to the run directory
    Column("bytes", Integer),
    Column("milestone", Integer, nullable=False),
    Column("created_at", Text, nullable=False),
    sqlite_with_rowid=False,
)

sample = Table(
    "sample",
    metadata,
    _run_id(primary_key=True),
    Column("path", Text, primary_key=True),  # relative to the run directory
    Column("step", Integer, nullable=False),
    Column("images_seen", Integer),
    Column("count", Integer),
    Column("seed", Integer),
    Column("sampler", Text),
    Column("sampler_steps", Integer),
    Column("created_at", Text, nullable=False),
    sqlite_with_rowid=False,
)

#: Scores of checkpoints, with the run that recorded them: an evaluating run, or the training itself.
evaluation = Table(
    "evaluation",
    metadata,
    _run_id(primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("protocol_id", Text, primary_key=True),
    Column("images_seen", Integer),
    Column("fid", REAL, nullable=False),
    Column("kid", REAL),
    Column("kid_error", REAL),
    Column("precision", REAL),
    Column("recall", REAL),
    Column("density", REAL),
    Column("coverage", REAL),
    Column("classifier_fd", REAL),
    Column("floor", Text),  # JSON
    Column("samples", Integer),
    Column("seed", Integer),
    Column("protocol", Text, nullable=False),  # JSON
    Column("seconds", REAL),
    Column("created_at", Text, nullable=False),
    sqlite_with_rowid=False,
)
