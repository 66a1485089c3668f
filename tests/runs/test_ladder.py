"""Files of older versions, as those versions wrote them, become today's."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from runs import files, schema
from runs.catalogue import Catalogue
from runs.database import Database
from runs.home import Home
from runs.sync import reindex
from tests.runs.records import (
    CONFIG,
    append,
    checkpoint,
    contents,
    end,
    evaluated,
    event,
    make_home,
    make_old,
    make_run,
    metrics,
    protocol,
    samples,
    started,
)

#: What version 1 made of the runs of `home` below, dumped as SQL.
VERSION_1 = Path(__file__).with_name("catalogue-1.sql")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Four runs, two of them with evaluations, and the catalogue of version 1 that has read all of them."""
    home = make_home(tmp_path / "home")
    base = make_run(home, 1, "base")
    append(base, started(), metrics(10, 0.5), checkpoint(10), samples(10))
    append(base, event("ended", status="finished", step=10, images_seen=80))
    parent = {
        "uuid": json.loads((base / "run.json").read_text())["uuid"],
        "id": 1,
        "name": "base",
        "step": 10,
    }
    drawn = make_run(home, 2, "drawn", kind="sample", parent=parent)
    append(drawn, started(10), event("ended", status="finished", step=10))
    judged = make_run(home, 3, "judged", kind="evaluate", parent=parent)
    append(judged, started(10), evaluated(10, 12.5), event("ended", status="finished", step=10))
    judging = make_run(home, 4, "judging")
    (judging / "config.toml").write_text(CONFIG + "\n[evaluation]\nevery = 10\n")
    append(judging, started(), metrics(10, 0.25), evaluated(10, 7.5))
    append(judging, event("ended", status="finished", step=10))
    for path in (base, drawn, judged, judging):
        end(path)
        make_old(path)
    write_version_1(home)
    return home


def write_version_1(home: Home) -> None:
    with sqlite3.connect(home.catalogue) as connection:
        connection.executescript(VERSION_1.read_text())
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 1")
        for run_id, directory in connection.execute("SELECT id, directory FROM run").fetchall():
            path = home.runs / directory  # it has read these very files
            found = (path / "events.jsonl").stat()
            connection.execute(
                "UPDATE run SET settled = ?, info_stamp = ? WHERE id = ?",
                (path.stat().st_mtime_ns, files.stamp(path / "run.json"), run_id),
            )
            connection.execute(
                "UPDATE record SET config_stamp = ?, events_offset = ?, events_inode = ? WHERE run_id = ?",
                (files.stamp(path / "config.toml"), found.st_size, found.st_ino, run_id),
            )
    connection.close()


def shapes(database: Database) -> list[tuple[Any, ...]]:
    """Tables and indexes, their columns with types, keys and constraints."""
    with database.reading() as connection:
        ask = connection.exec_driver_sql
        names = ask("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY 2").all()
        found: list[tuple[Any, ...]] = []
        for kind, name in names:
            pragmas = ("table_xinfo", "foreign_key_list") if kind == "table" else ("index_xinfo",)
            found += [(kind, name, *row) for p in pragmas for row in ask(f"PRAGMA {p}({name})").all()]
        found += [
            tuple(row) for row in ask("SELECT name, wr, strict FROM pragma_table_list ORDER BY 1").all()
        ]
    return found


def test_a_file_of_version_1_gets_the_shape_of_a_new_one(home: Home, tmp_path: Path) -> None:
    old, new = Database(home.catalogue), Database(tmp_path / "new.db")
    assert old.notice is None
    assert shapes(old) == shapes(new)
    with old.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA user_version").scalar_one() == schema.VERSION == 5
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
    old.close()
    new.close()


def test_what_version_1_passed_over_is_read(home: Home) -> None:
    with Catalogue(home) as catalogue:
        assert [row.id for row in catalogue.runs()] == [2, 1]  # of the others it cannot know all
        catalogue.sync()
        assert [(row.id, row.name, row.fid) for row in catalogue.runs()] == [
            (4, "judging", 7.5),
            (3, "judged", 12.5),
            (2, "drawn", None),
            (1, "base", 12.5),
        ]
        assert catalogue.find("3").total_steps is None  # it says of no [evaluation] how many
        assert [e.protocol for e in catalogue.detail(1).evaluations] == [protocol()]
        assert catalogue.detail(1).notices == ()
    before = contents(home, ("progress",))
    reindex(home)
    assert contents(home, ("progress",)) == before


def test_what_version_1_knew_of_other_runs_is_kept(home: Home) -> None:
    """A home with millions of rows of metrics opens at once."""
    (home.runs / "0001-base" / "events.jsonl").write_text("")  # were it read again, nothing would be found
    with Catalogue(home) as catalogue:
        catalogue.sync()
        assert [c.step for c in catalogue.detail(1).checkpoints] == [10]
        assert catalogue.find("1").loss == 0.5


def test_from_version_2_on_the_fid_is_the_decisive_one(tmp_path: Path) -> None:
    """What version 2 said: the newest of 500 images, whatever there was of more."""
    home = make_home(tmp_path / "other")
    base = make_run(home, 1, "base")
    append(base, started(), evaluated(10, 8.0, samples=10_000), event("ended", status="finished", step=10))
    end(base)
    parent = {
        "uuid": json.loads((base / "run.json").read_text())["uuid"],
        "id": 1,
        "name": "base",
        "step": 10,
    }
    few = make_run(home, 2, "few", kind="evaluate", parent=parent)
    late = "2026-12-24T10:00:00Z"
    append(few, started(10), evaluated(10, 90.0, samples=500, protocol=protocol(samples=500), time=late))
    append(few, event("ended", status="finished", step=10))
    end(few)
    for path in (base, few):
        make_old(path)
    with Catalogue(home) as catalogue:
        catalogue.sync()
        assert catalogue.find("1").fid == 8.0
    with sqlite3.connect(home.catalogue) as connection:
        connection.execute("UPDATE run SET fid = 90.0")
        connection.execute("ALTER TABLE run DROP COLUMN preparing")  # of version 4
        connection.execute("ALTER TABLE run DROP COLUMN waits_for")  # of version 5
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    with Catalogue(home) as catalogue:  # without a sync
        assert [(row.id, row.fid) for row in catalogue.runs()] == [(2, 90.0), (1, 8.0)]
