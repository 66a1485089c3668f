"""Which run is which: edits, copies, directories that come and go, and what is no run at all."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from runs.catalogue import Catalogue
from runs.home import Home
from runs.rows import RunQuery
from runs.sync import reindex
from tests.runs.records import (
    append,
    checkpoint,
    contents,
    edit,
    end,
    make_home,
    make_old,
    make_run,
    metrics,
    samples,
    write_by_rename,
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "home")


def losses(catalogue: Catalogue, run_id: int = 1) -> list[float]:
    return [bucket.mean for bucket in catalogue.series(run_id, buckets=1000, x="step")]


def test_edits_arrive(home: Home) -> None:
    path = make_run(home, 1, "before")
    end(path)
    make_old(path)
    with Catalogue(home) as catalogue:
        catalogue.sync()
        edit(path, name="after", tags=["new"], notes="why")
        assert catalogue.sync()
        assert catalogue.find("after").tags == ("new",)
        assert catalogue.runs(RunQuery(text="WHY new"))[0].id == 1
        write_by_rename(path / "config.toml", "[training]\nsteps = 5000\n")
        assert catalogue.sync()
        assert catalogue.runs()[0].total_steps == 5000


def test_two_runs_may_swap_names(home: Home) -> None:
    first, second = make_run(home, 1, "x"), make_run(home, 2, "y")
    with Catalogue(home) as catalogue:
        catalogue.sync()
        edit(first, name="y")
        edit(second, name="x")
        catalogue.sync()
        assert [(row.id, row.name) for row in catalogue.runs()] == [(2, "x"), (1, "y")]


def test_a_vanished_directory_leaves_with_all_its_rows(home: Home) -> None:
    path = make_run(home, 1)
    append(path, metrics(10), checkpoint(10), samples(10))
    make_run(home, 2, parent={"uuid": json.loads((path / "run.json").read_text())["uuid"], "id": 1})
    with Catalogue(home) as catalogue:
        catalogue.sync()
        assert catalogue.find("2").parent == 1
        shutil.rmtree(path)
        assert catalogue.sync()
        assert [(row.id, row.parent) for row in catalogue.runs()] == [(2, None)]
    found = contents(home)
    assert found["metric"] == found["checkpoint"] == found["sample"] == []
    assert len(found["record"]) == 1


def test_a_renamed_directory_is_the_same_run(home: Home) -> None:
    path = make_run(home, 1)
    append(path, metrics(10, 0.5))
    with Catalogue(home) as catalogue:
        catalogue.sync()
        path.rename(home.runs / "elsewhere")
        catalogue.sync()
        assert [row.path for row in catalogue.runs()] == [str(home.runs / "elsewhere")]
        assert losses(catalogue) == [0.5]


def test_a_run_from_elsewhere_gets_a_free_number_and_name(home: Home) -> None:
    make_run(home, 1, "mnist", uuid="one")
    make_run(home, 5, "digits", uuid="five")
    with Catalogue(home) as catalogue:
        catalogue.sync()
        path = make_run(home, 1, "mnist", directory="from-another-box", uuid="other")
        append(path, metrics(10, 0.5))
        catalogue.sync()
        assert {row.name: row.id for row in catalogue.runs()} == {"mnist": 1, "digits": 5, "mnist-1": 6}
        assert losses(catalogue, 6) == [0.5]
    info = json.loads((path / "run.json").read_text())
    assert (info["id"], info["name"], info["uuid"], info["preset"]) == (6, "mnist-1", "other", "digits")


@pytest.mark.parametrize("known_first", [True, False])
def test_a_copy_becomes_a_run_of_its_own(home: Home, known_first: bool) -> None:
    path = make_run(home, 3, "mnist")
    append(path, metrics(10, 0.5))
    with Catalogue(home) as catalogue:
        if known_first:
            catalogue.sync()
        shutil.copytree(path, home.runs / "0001-a-copy")  # first by name, but not the one of that number
        catalogue.sync()
        rows = {row.path: row for row in catalogue.runs()}
        original, copy = rows[str(path)], rows[str(home.runs / "0001-a-copy")]
        assert (original.id, original.name, copy.id, copy.name) == (3, "mnist", 4, "mnist-1")
        assert catalogue.detail(3).uuid != catalogue.detail(4).uuid
        assert losses(catalogue, 4) == [0.5]
        assert not catalogue.sync()
    before = contents(home)
    assert reindex(home) == 2
    assert contents(home) == before


def test_what_cannot_be_written_back_is_kept_in_the_catalogue(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runs.directory import RunDirectory
    from runs.errors import RunError

    def refuse(self: RunDirectory, **changes: Any) -> None:
        raise RunError("read-only")

    monkeypatch.setattr(RunDirectory, "edit", refuse)
    path = make_run(home, 3, "mnist")
    shutil.copytree(path, home.runs / "copy")
    with Catalogue(home) as catalogue:
        catalogue.sync()
        assert {row.id: row.name for row in catalogue.runs()} == {3: "mnist", 4: "mnist-1"}
        os.utime(home.runs / "copy" / "run.json")  # looked at again, it is still the same
        catalogue.sync()
        assert {row.id: row.name for row in catalogue.runs()} == {3: "mnist", 4: "mnist-1"}
    before = contents(home)
    reindex(home)
    assert contents(home) == before


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not a JSON object"),
        ("[]", "not a JSON object"),
        ('{"format": 99, "uuid": "u", "id": 1, "name": "n", "kind": "train"}', "newer version"),
        ('{"uuid": "u", "id": 1, "name": "n", "kind": "train"}', "not of this program"),
        ('{"format": 1, "uuid": "u", "id": 1, "name": "' + "n" * 300 + '", "kind": "train"}', "'name'"),
        ('{"format": 1, "uuid": "u", "id": 1, "name": "\\ud800", "kind": "train"}', "'name'"),
        ('{"format": 1, "uuid": {}, "id": 1, "name": "n", "kind": "train"}', "'uuid'"),
        ('{"x": "' + "x" * 2_000_000 + '"}', "larger than"),
        ("[" * 100_000, "not a JSON object"),
        (None, "no run.json"),
    ],
)
def test_what_is_no_run_is_skipped_and_said(home: Home, text: str | None, why: str) -> None:
    path = make_run(home, 1, "stranger")
    if text is None:
        (path / "run.json").unlink()
    else:
        (path / "run.json").write_text(text)
    make_run(home, 2, "good")
    (home.runs / "a file").touch()
    (home.runs / ".new-1234").mkdir()
    with Catalogue(home) as catalogue:
        catalogue.sync()
        assert [row.name for row in catalogue.runs()] == ["good"]
        ((where, reason),) = catalogue.skipped
        assert where == str(path)
        assert why in reason
        assert "\n" not in reason


@pytest.mark.parametrize("number", [-1, 0, True, 10**9, 1e300, "7", None])
def test_a_run_without_a_usable_number_gets_one(home: Home, number: Any) -> None:
    path = make_run(home, 7, "odd", id=number)
    make_run(home, 3, "good")
    with Catalogue(home) as catalogue:
        catalogue.sync()
        assert {row.id: row.name for row in catalogue.runs()} == {8: "odd", 3: "good"}
        assert catalogue.skipped == []
    assert json.loads((path / "run.json").read_text())["id"] == 8


def test_a_link_to_itself_hides_nothing(home: Home) -> None:
    make_run(home, 1)
    (home.runs / "loop").symlink_to("loop")
    with Catalogue(home) as catalogue:
        catalogue.sync()
        assert len(catalogue.runs()) == 1
        assert [path for path, _ in catalogue.skipped] == [str(home.runs / "loop")]


def test_strange_values_in_run_json_are_unknown(home: Home) -> None:
    strange: Any = {"a": [None, float("inf")], "deep": json.loads("[" * 300 + "]" * 300)}
    path = make_run(
        home,
        1,
        **{
            "preset": 5,
            "tags": ["ok", 7, None, "\ud800"],
            "notes": 3,
            "created_at": "yesterday",
            "parent": [1],
        },
        **{"command": "rm -rf", "provenance": strange, "device": ["cuda"]},
    )
    (path / "config.toml").write_text("this is = = not TOML")
    (path / "exit.json").write_text("[" * 50_000)
    with Catalogue(home) as catalogue:
        catalogue.sync()
        row, detail = catalogue.runs()[0], catalogue.detail(1)
        assert (row.preset, row.tags, row.parent, row.device) == (None, ("ok", "?"), None, None)
        assert row.created_at.endswith("Z")
        assert (detail.notes, detail.command, detail.config) == ("", (), {})
        assert detail.provenance["a"] == [None, None]
        assert detail.notices[0].startswith("config.toml: ")


def test_a_stranger_that_was_a_run_leaves(home: Home) -> None:
    path = make_run(home, 1)
    with Catalogue(home) as catalogue:
        catalogue.sync()
        write_by_rename(path / "run.json", "{")
        assert catalogue.sync()
        assert catalogue.runs() == []
        assert len(catalogue.skipped) == 1
