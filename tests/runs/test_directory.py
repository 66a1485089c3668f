from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from runs import directory, home
from runs.creation import create_locked
from runs.directory import RunDirectory
from runs.errors import RunError
from runs.home import Home
from runs.status import probe
from tests.runs.processes import events, make, tiny


@pytest.fixture
def at(tmp_path: Path) -> Home:
    return home.find(str(tmp_path / "home"))


def test_a_new_run_has_all_that_describes_it(at: Home) -> None:
    run = make(at, '[red] "Größe"', preset="digits", tags=["a", "b"], command=["ddpm-tui", "train"])
    assert run.path.name == "0001-red-groe"
    assert (run.id, run.name, run.kind) == (1, '[red] "Größe"', "train")
    assert run.config() == tiny()
    info = run.info
    assert info["format"] == 1
    assert info["tags"] == ["a", "b"]
    assert info["data_root"] == str(at.datasets)
    assert info["parent"] is info["checkpoint"] is info["out"] is None
    assert info["provenance"]["packages"]["torch"]
    assert sorted(p.name for p in at.runs.iterdir()) == [run.path.name]


def test_numbers_are_never_given_twice(at: Home) -> None:
    first, second = make(at, "a"), make(at, "b")
    assert (first.id, second.id) == (1, 2)
    at.trash.mkdir()
    second.path.rename(at.trash / f"{second.path.name}-20260101T000000Z")
    assert make(at, "c").id == 3
    first.edit(id=10)  # what sync does to a run copied in whose number was taken
    assert make(at, "d").id == 11


def test_creations_at_the_same_time_get_numbers_and_names_of_their_own(at: Home) -> None:
    made: list[RunDirectory] = []
    threads = [threading.Thread(target=lambda: made.append(make(at, None, stem="digits"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(run.id for run in made) == list(range(1, 9))
    assert sorted(run.name for run in made) == [f"digits-{n}" for n in range(1, 9)]


def test_taken_name_is_refused_and_a_free_one_named(at: Home) -> None:
    make(at, "mnist")
    with pytest.raises(RunError, match=r"a run named 'mnist' exists; 'mnist-1' is free"):
        make(at, "mnist")
    assert len(directory.all(at)) == 1


def test_a_run_locked_from_its_birth_is_never_seen_as_lost(at: Home) -> None:
    run, lock = create_locked(at, kind="train", config=tiny(), name="new")
    assert probe(run.path) == "running"
    os.close(lock)
    assert probe(run.path) == "lost"


def test_what_a_killed_creation_left_is_swept_and_never_listed(at: Home) -> None:
    left = at.runs / ".new-deadbeef"
    left.mkdir()
    (left / "run.json").write_text("{}")
    assert directory.all(at) == []
    make(at, "a")
    assert not left.exists()


def test_failed_creation_leaves_nothing(at: Home) -> None:
    """The limit on a file's size stands for a full disk; it holds for all users, root too."""
    code = (
        "import resource, sys; from runs import home; from tests.runs.processes import make\n"
        "at = home.find(sys.argv[1]); resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "make(at, 'a')"
    )
    done = subprocess.run([sys.executable, "-c", code, str(at.path)], capture_output=True, text=True)
    assert "RunError" in done.stderr.splitlines()[-1]
    assert "cannot be written: File too large" in done.stderr.splitlines()[-1]
    assert list(at.runs.iterdir()) == []


def test_edits_at_the_same_time_are_all_kept(at: Home) -> None:
    run = make(at)
    keys = [f"key{n}" for n in range(12)]
    threads = [threading.Thread(target=lambda k=key: run.edit(**{k: k})) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(run.info[key] == key for key in keys)
    assert not list(run.path.glob(".*.tmp"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "not a JSON object"),
        ("{", "not a JSON object"),
        ("[1]", "not a JSON object"),
        ("[" * 200_000, "not a JSON object"),
        ('{"name": "x"}', "not of this program"),
        ('{"format": 1}', "no usable 'uuid'"),
        ('{"format": 1, "uuid": "u", "id": 1, "kind": "train", "name": 7}', "no usable 'name'"),
        ('{"format": 99, "name": "x"}', "newer version"),
    ],
)
def test_foreign_directories_are_told_and_passed_over(at: Home, content: str, reason: str) -> None:
    path = at.runs / "0001-foreign"
    path.mkdir()
    (path / "run.json").write_text(content)
    with pytest.raises(RunError, match=reason) as caught:
        _ = RunDirectory(path).info
    assert "\n" not in str(caught.value)
    (at.runs / "a file").write_text("")
    good = make(at, "good")
    assert directory.all(at) == [good]


@pytest.mark.parametrize("number", [-1, True, 10**9, 10**400, "7", None, 1.5])
def test_a_number_that_is_none_is_0_and_no_other_run_is_disturbed(at: Home, number: Any) -> None:
    odd = make(at, "odd")
    odd.edit(id=number, device=None, tags=7, of_the_future=[1])
    assert (odd.id, odd.info["device"], odd.info["tags"], odd.info["of_the_future"]) == (0, "auto", [], [1])
    assert make(at, "next").id == 2
    odd.edit(notes="x")
    assert '"of_the_future": [' in (odd.path / "run.json").read_text()


def test_missing_configuration_is_one_line(at: Home) -> None:
    run = make(at)
    (run.path / "config.toml").unlink()
    with pytest.raises(RunError, match=r"config.toml cannot be read: No such file"):
        run.config()


def test_events_are_whole_lines_and_numbers_that_are_none_become_null(at: Home) -> None:
    run = make(at)
    run.append_event(
        {"event": "metrics", "loss": float("nan"), "more": [float("inf"), {"x": 1.5}], "t": "é\n"}
    )
    text = run.events_path.read_text(encoding="utf-8")
    assert text == '{"event":"metrics","loss":null,"more":[null,{"x":1.5}],"t":"é\\n"}\n'


def test_a_torn_last_line_stands_alone(at: Home) -> None:
    run = make(at)
    run.append_event({"event": "a"})
    with run.events_path.open("ab") as file:
        file.write(b'{"event":"metri')
    run.append_event({"event": "b"})
    assert run.events_path.read_bytes() == b'{"event":"a"}\n{"event":"metri\n{"event":"b"}\n'


def test_an_event_that_does_not_fit_is_told_and_the_next_is_whole(at: Home) -> None:
    run = make(at)
    code = (
        "import resource, sys; from pathlib import Path; from runs.directory import RunDirectory\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (40, 40)); run = RunDirectory(Path(sys.argv[1]))\n"
        "run.append_event({'event': 'fits'})\n"
        "try: run.append_event({'event': 'x' * 50})\n"
        "except OSError as error: print(error.errno)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(run.path)], capture_output=True, text=True)
    assert int(done.stdout) in (errno.ENOSPC, errno.EFBIG), done.stderr
    run.append_event({"event": "later"})
    assert events(run) == [{"event": "fits"}, {"event": "later"}]
