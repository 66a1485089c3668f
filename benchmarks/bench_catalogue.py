"""How quick the catalogue is with a year of runs.

    python -m benchmarks.bench_catalogue                                1,000 runs, all from their files
    python -m benchmarks.bench_catalogue --runs 10000 --direct 1000     10 million rows, put into the database

Everything lies in a temporary folder (10,000 runs with 10 million rows: about 1 GB) that is removed.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from benchmarks import history
from benchmarks.measuring import Table, milliseconds
from runs.catalogue import Catalogue
from runs.errors import RunError
from runs.home import Home
from runs.rows import RunQuery

_LONG = 100_000  #: rows of the one long run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=200, help="rows of metrics in each run's file")
    parser.add_argument("--direct", type=int, default=0, help="rows per run put into the database instead")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ddpm-bench-") as folder:
        home = Home(Path(folder))
        history.write(home, chosen.runs, 8 if chosen.direct else chosen.rows)
        live = history.write_run(home, chosen.runs + 1, 8, ended=False)
        measure(home, live, chosen.direct)


def measure(home: Home, live: Path, direct: int) -> None:
    """All figures of one home; `live` is a run that has no end, `direct` as in `main`."""
    with Catalogue(home) as catalogue:
        begin = time.perf_counter()
        catalogue.sync()
        first_import = 1000 * (time.perf_counter() - begin)
        _fill(home, direct)
        with sqlite3.connect(home.catalogue) as bare:
            runs, rows = (bare.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in ("run", "metric"))
            size = home.catalogue.stat().st_size / 1e6
            query = "SELECT * FROM run ORDER BY id DESC LIMIT 200"
            reference = milliseconds(lambda: bare.execute(query).fetchall(), 21)
        title = f"{runs:,} runs, {rows:,} rows of metrics, {size:.0f} MB"
        table = Table(title, "200 rows by bare sqlite3", reference)
        table.add("first import (once, files only)", first_import)
        table.add("sync, nothing new", milliseconds(catalogue.sync), 60 if runs < 2000 else None)
        table.add("sync, one new line of a run", milliseconds(lambda: _append(live, catalogue)))
        for sort in ("id", "name", "loss", "created_at", "status", "ended_at"):
            for order in (True, False):
                page = RunQuery(sort=sort, descending=order)
                what = f"page of 200 by {sort}, {'descending' if order else 'ascending'}"
                table.add(what, milliseconds(lambda page=page: catalogue.runs(page)), 20)
        everything = RunQuery(limit=-1)
        table.add("all rows", milliseconds(lambda: catalogue.runs(everything)))
        for text in ("mnist", "cosine finished paper", "nothing has this"):
            found = RunQuery(text=text)
            table.add(f"filter {text!r}", milliseconds(lambda found=found: catalogue.runs(found)), 30)
            table.add(f"count {text!r}", milliseconds(lambda found=found: catalogue.count(found)), 30)
        table.add("detail", milliseconds(lambda: catalogue.detail(1)), 20)
        table.add("find by name's start", milliseconds(lambda: catalogue.find(catalogue.find("1").name)), 20)
        table.add("find last", milliseconds(lambda: catalogue.find("last")), 20)
        table.add("find, a near miss", milliseconds(lambda: _miss(catalogue)))
        table.add("series, 1,000 rows", milliseconds(lambda: catalogue.series(1)), 30)
        table.add(f"series, {_LONG:,} rows", milliseconds(lambda: catalogue.series(2)), 100)
        part = {"first": 1e6, "last": 2e6}
        table.add(f"series, part of {_LONG:,} rows", milliseconds(lambda: catalogue.series(2, **part)), 100)
        ids = [row.id for row in catalogue.runs()]
        table.add("sparks of 40 runs", milliseconds(lambda: catalogue.sparks(ids[:40])), 20)
        table.add("sparks of 200 runs", milliseconds(lambda: catalogue.sparks(ids)), 50)
        table.add("version", milliseconds(catalogue.version, 51), 1)


def _append(live: Path, catalogue: Catalogue) -> None:
    line = {"event": "metrics", "time": "2026-11-23T10:00:00Z", "step": time.monotonic_ns() // 1000}
    with (live / "events.jsonl").open("a") as file:
        file.write(json.dumps(line | {"images_seen": 1, "loss": 0.1}) + "\n")
    if not catalogue.sync():
        raise AssertionError("a new line was not seen")


def _miss(catalogue: Catalogue) -> None:
    with suppress(RunError):
        catalogue.find("mnits-cosin-17")


def _fill(home: Home, direct: int) -> None:
    """Rows that no file has: `direct` for every run, and a long series for the second."""
    connection = sqlite3.connect(home.catalogue)
    connection.execute("PRAGMA synchronous = OFF")
    series = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) "
    insert = (
        "INSERT OR REPLACE INTO metric SELECT {run}, i * 50, i * 6400, 1.7e9 + i * 4, "
        "0.02 + 1.0 / i + 0.004 * (random() % 1000) / 1000.0, 2e-4, 0.1, 1600.0 FROM {source}"
    )
    with connection:
        long = insert.format(run=2, source="n")
        connection.execute(series.format(count=_LONG) + long)
        if direct:
            each = insert.format(run="run.id", source="run CROSS JOIN n WHERE run.id != 2")
            connection.execute(series.format(count=direct) + each)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


if __name__ == "__main__":
    main()
