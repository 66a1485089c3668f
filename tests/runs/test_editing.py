from __future__ import annotations

import threading
from pathlib import Path

import pytest

from runs import home
from runs.editing import edit
from runs.errors import RunError
from runs.home import Home
from tests.runs.processes import make


@pytest.fixture
def at(tmp_path: Path) -> Home:
    return home.find(str(tmp_path / "home"))


def test_only_what_is_given_changes(at: Home) -> None:
    run = make(at, "a", tags=["x"])
    before = run.info
    edit(at, run, notes="[red]\nsecond line")
    assert run.info == {**before, "notes": "[red]\nsecond line"}
    edit(at, run, name="b", tags=["y", "y"])
    assert run.info == {**before, "notes": "[red]\nsecond line", "name": "b", "tags": ["y"]}
    edit(at, run, tags=[], notes="")
    assert (run.info["tags"], run.info["notes"]) == ([], "")
    assert run.path.name == "0001-a"


def test_a_taken_name_is_refused_its_own_is_not(at: Home) -> None:
    make(at, "a")
    run = make(at, "b")
    with pytest.raises(RunError, match=r"a run named 'a' exists; 'a-1' is free"):
        edit(at, run, name="a", tags=["x"])
    assert run.info["tags"] == []
    edit(at, run, name="b")


def test_bad_values_change_nothing(at: Home) -> None:
    run = make(at, "a")
    before = run.info
    for bad in ({"name": "x\n"}, {"tags": ["ok", "\x1b"]}, {"notes": "\x07"}, {"name": "last"}):
        with pytest.raises(RunError):
            edit(at, run, **bad)  # type: ignore[arg-type]
    assert run.info == before


def test_of_two_that_want_one_name_at_once_one_gets_it(at: Home) -> None:
    runs = [make(at, f"r{n}") for n in range(6)]
    failures: list[RunError] = []

    def rename(run: object) -> None:
        try:
            edit(at, run, name="wanted")  # type: ignore[arg-type]
        except RunError as error:
            failures.append(error)

    threads = [threading.Thread(target=rename, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [run.name for run in runs].count("wanted") == 1
    assert len(failures) == 5


def test_tags_added_at_once_are_all_kept(at: Home) -> None:
    run = make(at, "a", tags=["x", "y"])
    tags = [f"tag{n}" for n in range(8)]
    threads = [threading.Thread(target=edit, args=(at, run), kwargs={"add_tags": [tag]}) for tag in tags]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(run.info["tags"]) == [*tags, "x", "y"]
    edit(at, run, add_tags=["x", "z"], remove_tags=tags)
    assert run.info["tags"] == ["x", "y", "z"]
    with pytest.raises(RunError, match="a has no tag 'w'; it has x, y, z"):
        edit(at, run, name="b", remove_tags=["w"])
    assert run.name == "a"
