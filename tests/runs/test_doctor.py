import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from runs import doctor, doctor_terminal
from runs.cli.main import main
from runs.doctor import Row, Section
from runs.home import Home, find
from tests.runs.cli.command import environment, record


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return find(str(tmp_path / "home"))


@pytest.mark.parametrize(
    ("env", "value", "ok"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "16.7 million", True),
        ({"TERM": "xterm-256color"}, "256: images look coarse", None),
        ({"TERM": "xterm"}, "16: images look wrong", False),
        ({"TERM": "dumb"}, "none: not a terminal, or a dumb one", None),
        ({}, "none: not a terminal, or a dumb one", None),
        (
            {"TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": "1"},
            "none: NO_COLOR is set",
            None,
        ),
    ],
)
def test_colours(env: dict[str, str], value: str, ok: bool | None) -> None:
    row = doctor_terminal.colours(env)
    assert (row.value, row.ok) == (value, ok)
    assert row.advice or ok or "TERM" not in env or env["TERM"] == "dumb"


def test_the_terminal_part_says_what_ssh_may_leave_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.setenv("SSH_CONNECTION", "1 2 3 4")
    rows = {row.label: row for row in doctor_terminal.rows()}
    assert "type: reset" in rows["SSH"].value
    assert rows["tmux"].value == "not inside tmux"
    assert "half cells" in rows["images"].value


def test_tmux_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A real tmux server of our own answers."""
    tmux = shutil.which("tmux")
    if tmux is None:  # the same, without its answers
        assert [row.label for row in doctor_terminal.tmux()] == ["tmux"]
        return
    socket = str(tmp_path / "socket")
    server = [tmux, "-S", socket, "-f", os.devnull]
    subprocess.run([*server, "new-session", "-d"], check=True, env=environment(TERM="xterm"))
    try:
        subprocess.run([*server, "set", "-s", "escape-time", "500"], check=True)
        monkeypatch.setenv("TMUX", f"{socket},1,0")
        rows = {row.label: row for row in doctor_terminal.tmux()}
        assert rows["tmux"].value[0].isdigit()
        assert rows["tmux clipboard"].value == "external"
        assert "set -s set-clipboard on" in (rows["tmux clipboard"].advice or "")
        assert rows["tmux escape-time"].value == "500 ms"
        subprocess.run([*server, "set", "-s", "set-clipboard", "on"], check=True)
        subprocess.run([*server, "set", "-s", "escape-time", "10"], check=True)
        rows = {row.label: row for row in doctor_terminal.tmux()}
        assert (rows["tmux clipboard"].ok, rows["tmux clipboard"].advice) == (True, None)
        assert "tmux escape-time" not in rows
    finally:
        subprocess.run([*server, "kill-server"], check=True)


def test_the_home_part(home: Home) -> None:
    record(home, "a")
    rows = {row.label: row for row in doctor._home(home)}
    assert rows["home"].value == str(home.path)
    assert rows["file system"].value not in ("", "unknown")
    assert rows["disk"].value.count("B free of") == 1
    assert rows["catalogue"].value.startswith("1 run, ")
    assert rows["catalogue"].ok is True


def test_what_the_catalogue_could_not_read_is_told(home: Home) -> None:
    run = record(home, "a")
    (run.path / "run.json").write_text("{")
    row = doctor._catalogue(home)
    assert row.ok is False
    assert "1 could not be read" in row.value
    assert str(run.path) in (row.advice or "") or run.path.name in (row.advice or "")


def test_a_disk_nearly_full_is_in_the_way(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LEAST_DISK", 10**18)
    rows = {row.label: row for row in doctor._home(home)}
    assert rows["disk"].ok is False
    assert "rm --purge" in (rows["disk"].advice or "")


def test_data_sets_that_are_there(home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DDPM_DATA", raising=False)
    rows = {row.label: row for row in doctor._data(home)}
    assert rows["data root"].value == str(home.datasets)
    assert (rows["digits"].value, rows["digits"].ok) == ("present", True)
    assert rows["mnist"].ok is None
    monkeypatch.setenv("DDPM_DATA", str(tmp_path))
    assert next(doctor._data(home)).value == f"{tmp_path} (DDPM_DATA)"


def test_file_system_of_a_mount() -> None:
    assert doctor.file_system(Path("/proc")) == "proc" or sys.platform != "linux"


def test_problems_are_what_is_in_the_way() -> None:
    bad = Row("b", "x", False, "do this")
    assert doctor.problems([Section("s", (Row("a", "x", True), bad)), Section("t", (Row("c", "x"),))]) == [
        bad
    ]


@pytest.mark.slow
def test_the_whole_page(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(home.path), "doctor", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    titles = ["versions", "machine", "devices", "home", "data sets", "terminal"]
    assert [section["title"] for section in told["sections"]] == titles
    rows = {row["label"]: row for section in told["sections"] for row in section["rows"]}
    assert rows["cpu"]["ok"] is True
    assert told["ok"] is all(row["ok"] is not False for row in rows.values())
    assert main(["--home", str(home.path), "doctor"]) == 0
    page = capsys.readouterr().out
    assert all(f"\n{title}\n" in f"\n{page}" for title in titles)
    assert len(page.splitlines()) <= 60


@pytest.mark.slow
def test_without_a_home_the_rest_is_still_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    blocked.chmod(stat.S_IRUSR)
    assert main(["--home", str(blocked / "home"), "doctor"]) == 0
    page = capsys.readouterr().out
    assert "✗ home" in page
    assert "cannot be written" in page
    assert "\nterminal\n" in page
    assert "in the way: see ✗ above" in page
