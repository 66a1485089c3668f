"""A home on a full disk, or on one to read only: what reads works, what starts says what it did."""

import json
from pathlib import Path

import pytest
from sqlalchemy import exc

from runs import database, directory, sync
from runs.catalogue import Catalogue
from runs.cli import starting
from runs.cli.main import main
from runs.database import as_run_error
from runs.directory import take_lock
from runs.errors import UnwritableError
from runs.home import find
from tests.runs.cli.command import record

READING = (("ls", "--json"), ("show", "first"), ("logs", "first"), ("compare", "1", "2"), ("leaderboard",))


def full(*arguments: object, **options: object) -> None:
    raise UnwritableError("catalogue.db cannot be written: no space left on its disk")


@pytest.mark.parametrize("verb", READING, ids=[verb[0] for verb in READING])
def test_what_reads_works_where_the_catalogue_cannot_be_written(
    verb: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = find(str(tmp_path))
    record(home, "first").log_path.write_text("its log\n")
    record(home, "second")
    true_open = database.Database._open

    def refuse(self: database.Database) -> None:
        if self.path != database.MEMORY:
            full()
        true_open(self)

    monkeypatch.setattr(database.Database, "_open", refuse)
    before = sorted(tmp_path.rglob("*"))
    assert main(["--home", str(tmp_path), *verb]) == 0
    out, err = capsys.readouterr()
    assert err.startswith("warning: catalogue.db cannot be written: no space left on its disk; read from the")
    assert len(err.splitlines()) <= 2
    if verb[0] == "ls":
        assert [row["name"] for row in json.loads(out)] == ["second", "first"]
    assert {"show": "#1 first", "logs": "its log"}.get(verb[0], "") in out
    assert sorted(tmp_path.rglob("*")) == before


def test_a_sync_that_cannot_write_falls_back_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = find(str(tmp_path))
    record(home, "first")
    true = sync.sync
    monkeypatch.setattr(
        sync, "sync", lambda d, h, probe: true(d, h, probe=probe) if d.path == database.MEMORY else full()
    )
    assert main(["--home", str(tmp_path), "ls"]) == 0
    assert "first" in capsys.readouterr().out


def test_an_import_is_made_where_the_catalogue_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    true = sync.sync
    monkeypatch.setattr(
        sync, "sync", lambda d, h, probe: true(d, h, probe=probe) if d.path == database.MEMORY else full()
    )
    weights = Path(__file__).parents[3] / "docs" / "results" / "mnist-cpu"
    assert main(["--home", str(tmp_path), "import", str(weights), "--name", "it", "--note", "kept"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("it (#1) is made of ")
    assert "no space left on its disk; read from the run directories instead" in err
    [run] = (tmp_path / "runs").iterdir()
    assert json.loads((run / "run.json").read_text())["notes"] == "kept"


def test_two_runs_of_one_number_are_told_apart_in_memory_and_not_rewritten(tmp_path: Path) -> None:
    home = find(str(tmp_path))
    runs = [record(home, "first"), record(home, "second")]
    runs[1].edit(id=1, name="first")
    before = [(run.path / "run.json").read_bytes() for run in runs]
    with Catalogue(home, in_memory=True) as catalogue:
        catalogue.sync()
        assert len({row.id for row in catalogue.runs()}) == 2
    assert [(run.path / "run.json").read_bytes() for run in runs] == before
    assert not home.catalogue.exists()


@pytest.mark.parametrize(
    "reason", ["database or disk is full", "attempt to write a readonly database", "unable to open database"]
)
def test_what_sqlite_says_of_such_disks(reason: str) -> None:
    error = as_run_error(Path("x.db"), exc.OperationalError("", None, Exception(reason)))
    assert isinstance(error, UnwritableError)


@pytest.mark.parametrize("detach", [True, False])
def test_a_run_that_was_started_is_told_so(
    detach: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from argparse import Namespace

    home = find(str(tmp_path))
    locks = []

    def make() -> directory.RunDirectory:
        run = record(home, "first", status=None)
        locks.append(take_lock(run.path))
        monkeypatch.setattr(Catalogue, "sync", full)
        return run

    args = Namespace(note=None, detach=detach, json=False, show=False)
    assert starting.start(home, make, args, "ddpm-tui evaluate") == (0 if detach else 1)
    err = capsys.readouterr().err
    assert "first started and goes on (" in err
    assert "but cannot be watched: catalogue.db cannot be written: no space left" in err
