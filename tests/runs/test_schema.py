"""The catalogue's file: made, renewed, refused, put aside; transactions that begin as they must."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import insert, inspect

from runs import database, schema
from runs.catalogue import Catalogue
from runs.database import Database, on_shared_file_system
from runs.errors import RunError
from runs.home import Home
from runs.sync import reindex
from tests.runs.records import append, make_home, make_run, metrics


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "home")


def pragma(database: Database, name: str) -> object:
    with database.reading() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()


def test_a_new_file_has_todays_tables_and_settings(home: Home) -> None:
    database = Database(home.catalogue)
    wanted = {"user_version": schema.VERSION, "application_id": schema.APPLICATION_ID, "journal_mode": "wal"}
    wanted |= {"foreign_keys": 1, "synchronous": 1, "temp_store": 2, "busy_timeout": 20_000}
    assert {name: pragma(database, name) for name in wanted} == wanted
    assert database.notice is None
    with database.reading() as connection:
        assert set(inspect(connection).get_table_names()) == set(schema.metadata.tables)
    database.close()


@pytest.mark.parametrize("name", ["a?b", "a%20b", "a%2e%2e#c", "a?mode=memory&uri=true"])
def test_any_path_can_be_a_home(tmp_path: Path, name: str) -> None:
    home = make_home(tmp_path / name)
    make_run(home, 1)
    with Catalogue(home) as catalogue:
        catalogue.sync()
    assert home.catalogue.stat().st_size > 0
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_every_sort_of_a_page_uses_an_index(home: Home) -> None:
    with Catalogue(home) as catalogue, catalogue._database.reading() as connection:
        for column in schema.SORTABLE.values():
            for order in (f"{column.name} DESC, id DESC", f"{column.name} ASC NULLS LAST, id ASC"):
                plan = connection.exec_driver_sql(
                    f"EXPLAIN QUERY PLAN SELECT * FROM run ORDER BY {order} LIMIT 9"
                )
                assert "TEMP B-TREE FOR ORDER BY" not in str(plan.all()), order


def test_a_newer_file_is_refused_in_one_line_and_left_alone(home: Home) -> None:
    Database(home.catalogue).close()
    with sqlite3.connect(home.catalogue) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    with pytest.raises(RunError, match="newer version") as caught:
        Catalogue(home)
    assert "\n" not in str(caught.value)
    assert [path.name for path in home.path.glob("catalogue*aside*")] == []


@pytest.mark.parametrize("damage", ["noise", "foreign", "cut", "header"])
def test_a_damaged_or_foreign_file_is_put_aside_and_rebuilt(home: Home, damage: str) -> None:
    append(make_run(home, 1), metrics(10, 0.5))
    with Catalogue(home) as catalogue:
        catalogue.sync()
    content = home.catalogue.read_bytes()
    if damage == "noise":
        home.catalogue.write_bytes(os.urandom(10_000))
    elif damage == "foreign":
        home.catalogue.unlink()
        with sqlite3.connect(home.catalogue) as connection:
            connection.execute("CREATE TABLE recipes (name)")
    elif damage == "cut":
        home.catalogue.write_bytes(content[:5000])
    else:
        home.catalogue.write_bytes(b"SQLite format 3\0" + bytes(84))
    before = home.catalogue.read_bytes()
    with Catalogue(home) as catalogue:
        assert catalogue.notice is not None
        assert "put aside as catalogue.db.aside-1" in catalogue.notice
        catalogue.sync()
        assert [row.loss for row in catalogue.runs()] == [0.5]
    assert (home.path / "catalogue.db.aside-1").read_bytes() == before
    with Catalogue(home) as catalogue:
        assert catalogue.notice is None


def test_reindex_replaces_a_file_with_damaged_pages(home: Home) -> None:
    for number in range(1, 30):
        append(make_run(home, number), *(metrics(step) for step in range(50)))
    with Catalogue(home) as catalogue:
        catalogue.sync()
    with sqlite3.connect(home.catalogue) as connection:
        roots = [page for (page,) in connection.execute("SELECT rootpage FROM sqlite_master WHERE rootpage")]
    content = bytearray(home.catalogue.read_bytes())
    for page in roots:  # the list of tables is good, none of them is
        content[4096 * (page - 1) : 4096 * page] = b"\xa5" * 4096
    home.catalogue.write_bytes(content)
    with Catalogue(home) as catalogue, pytest.raises(RunError, match=r"is damaged .*: .* ddpm-tui reindex"):
        catalogue.runs()
    told: list[str] = []
    assert reindex(home, told.append) == 29
    assert len(told) == 1
    assert "put aside as catalogue.db.aside-1" in told[0]
    with Catalogue(home) as catalogue:
        assert len(catalogue.runs()) == 29
    assert reindex(home, told.append) == 29
    assert len(told) == 1


def test_an_empty_file_is_simply_filled(home: Home) -> None:
    home.catalogue.touch()
    with Catalogue(home) as catalogue:
        assert (catalogue.notice, catalogue.runs()) == (None, [])


def test_a_busy_file_is_said_in_one_line_and_not_put_aside(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT", 50)
    make_run(home, 1)
    with Catalogue(home) as catalogue:
        other = sqlite3.connect(home.catalogue, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RunError, match="busy"):
            catalogue.sync()
        other.execute("ROLLBACK")
        assert catalogue.sync()
        other.close()


def test_writers_wait_for_each_other_and_readers_do_not(home: Home) -> None:
    """A transaction that began as a reader's could not become a writer's: SQLITE_BUSY at once."""
    database = Database(home.catalogue)
    inside, order = threading.Event(), []

    def first() -> None:
        with database.writing() as connection:
            inside.set()
            time.sleep(0.2)
            connection.exec_driver_sql("PRAGMA user_version")
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait()
    with database.reading() as connection:
        connection.execute(schema.run.select())
        order.append("reader")
    with database.writing() as connection:
        order.append("second")
    thread.join()
    database.close()
    assert order == ["reader", "first", "second"]


def test_a_failed_transaction_leaves_nothing(home: Home) -> None:
    database = Database(home.catalogue)
    values = {"uuid": "u", "name": "n", "directory": "d", "kind": "train", "status": "lost"}
    values |= {"created_at": "", "tags": "[]", "search": "", "info_stamp": ""}

    def fail() -> None:
        with database.writing() as connection:
            connection.execute(insert(schema.run), values)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with database.reading() as connection:
        assert connection.execute(schema.run.select()).all() == []
    database.close()


def test_processes_that_open_a_new_file_at_once_all_succeed(home: Home) -> None:
    code = (
        "import sys, pathlib; from runs.database import Database; Database(pathlib.Path(sys.argv[1])).close()"
    )
    started = [subprocess.Popen([sys.executable, "-c", code, str(home.catalogue)]) for _ in range(4)]
    assert [process.wait() for process in started] == [0, 0, 0, 0]
    assert list(home.path.glob("*aside*")) == []


@pytest.mark.parametrize(
    ("mounts", "shared"),
    [
        ([("/", "ext4"), ("/home", "nfs4")], True),
        ([("/", "ext4"), ("/home", "nfs4"), ("/home/me", "xfs")], False),
        ([("/", "overlay"), ("/home", "fuse.sshfs")], True),
        ([("/", "ext4"), ("/home", "lustre")], True),
        ([("/", "ext4"), ("/hom", "nfs4")], False),
        ([("/", "nfs4"), ("/home", "nfs4"), ("/home", "ext4")], False),  # mounted over
        ([], False),
    ],
)
def test_network_file_systems_are_told_by_the_mount_that_holds_the_file(
    monkeypatch: pytest.MonkeyPatch, mounts: list[tuple[str, str]], shared: bool
) -> None:
    monkeypatch.setattr(database, "_mounts", lambda: mounts)
    assert on_shared_file_system(Path("/home/me/catalogue.db")) is shared


def test_on_a_network_file_system_there_is_no_write_ahead_log(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_mounts", lambda: [("/", "nfs")])
    opened = Database(home.catalogue)
    assert pragma(opened, "journal_mode") == "delete"
    opened.close()


def test_mounts_of_this_machine_are_read() -> None:
    assert database._mounts()
