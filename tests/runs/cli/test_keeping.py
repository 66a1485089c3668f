"""edit and rm: what people change, and what they throw away."""

import io
import os
import time
from pathlib import Path

import pytest

from runs import trash
from runs.cli.main import main
from runs.directory import take_lock
from runs.home import Home, find
from tests.runs.cli.command import call_json, record


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("DDPM_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    return find()


def test_edit(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    run = record(home, "first", tags=("a", "b"))
    assert (
        main(["edit", "first", "--name", "[red] second", "--tag", "c", "--untag", "a", "--note", "why not"])
        == 0
    )
    assert capsys.readouterr().out == "#1 [red] second  [b, c]\n"
    assert (run.name, run.info["tags"], run.info["notes"]) == ("[red] second", ["b", "c"], "why not")
    assert main(["edit", "1", "--note", ""]) == 0
    assert run.info["notes"] == ""
    assert run.info["tags"] == ["b", "c"]


def test_edit_refuses_taken_names_and_missing_tags(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    record(home, "first")
    run = record(home, "second", tags=("a",))
    assert main(["edit", "second", "--name", "first", "--note", "lost?"]) == 1
    assert "first" in capsys.readouterr().err
    assert main(["edit", "second", "--untag", "x"]) == 1
    assert "second has no tag 'x'; it has a" in capsys.readouterr().err
    assert (run.name, run.info["notes"], run.info["tags"]) == ("second", "", ["a"])


def test_rm_moves_to_the_trash_and_purge_empties_it(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    record(home, "first")
    record(home, "second")
    third = record(home, "third")
    assert main(["rm", "first", "2"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("first: ")
    assert "moved to the trash" in out[1]
    assert "The trash holds" in out[2]
    assert [row["name"] for row in call_json(home.path, "ls")] == ["third"]
    assert len(trash.contents(home)) == 2
    with pytest.raises(SystemExit) as leaving:  # nobody can be asked
        main(["rm", "--purge"])
    assert leaving.value.code == 2
    assert len(trash.contents(home)) == 2
    capsys.readouterr()
    assert main(["rm", "--purge", "--yes"]) == 0
    assert "removed for good" in capsys.readouterr().out
    assert trash.contents(home) == []
    assert third.path.is_dir()
    assert main(["rm", "--purge"]) == 0
    assert capsys.readouterr().out == "The trash is empty\n"


def test_purge_asks(home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    trash.move(home, record(home, "first"))
    for answer, left, status in (("\n", 1, 1), ("n\n", 1, 1), ("", 1, 1), ("y\n", 0, 0)):
        monkeypatch.setattr("sys.stdin", Terminal(answer))
        assert main(["rm", "--purge"]) == status
        assert len(trash.contents(home)) == left
        assert "for good? [y/N]" in capsys.readouterr().err


def test_rm_moves_all_or_none(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    record(home, "idle")
    busy = record(home, "busy")
    lock = take_lock(busy.path)
    try:
        assert main(["rm", "idle", "busy"]) == 1
        assert "busy is running; stop it first: ddpm-tui stop 2" in capsys.readouterr().err
        assert main(["rm", "idle", "nothing"]) == 1
    finally:
        os.close(lock)
    assert trash.contents(home) == []


def test_rm_of_a_number_that_is_none_moves_nothing(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    record(home, "2026-baseline")
    assert main(["rm", "2026"]) == 1
    assert "there is no run '2026'" in capsys.readouterr().err
    assert trash.contents(home) == []


def test_resume_of_what_cannot_go_on_warns_of_nothing(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    run = record(home, "run", status="stopped")
    lock = take_lock(run.path)
    assert main(["resume", "run"]) == 1
    assert capsys.readouterr().err == "ddpm-tui resume: run (#1) is running already\n"
    os.close(lock)
    assert main(["resume", "run", "--set", "model.channels=8"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    with pytest.raises(SystemExit) as leaving:
        main(["resume", "run", "--device", "cuda:99"])
    assert leaving.value.code == 2
    assert "'cuda:99' is not on this machine" in capsys.readouterr().err
    assert run.info["device"] == "auto"


def test_stop_of_what_does_not_run(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    record(home, "idle")
    assert main(["stop", "idle"]) == 1
    assert capsys.readouterr() == ("", "ddpm-tui stop: idle (#1) is not running; it is finished\n")


def test_stop_tells_what_it_cannot_end(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """Runs whose processes are of another machine, say; the patience is for all of them together."""
    locks = [take_lock(record(home, name).path) for name in ("one", "two", "three")]
    begin = time.monotonic()
    try:
        assert main(["stop", "one", "two", "three", "--patience", "0.5"]) == 1
    finally:
        for lock in locks:
            os.close(lock)
    assert time.monotonic() - begin < 1.4
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("does not tell the run's process; end it by hand\n") == 3
