"""ls, show, compare, logs on runs whose files are there: what is printed, what JSON holds."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from ddpm import configfiles
from runs.cli.main import main
from runs.cli.records import ROW_KEYS
from runs.directory import RunDirectory
from runs.home import Home, find
from tests.runs.cli.command import START, record
from tests.runs.records import alive, append, event, metrics

SHOW_KEYS = (
    *("config", "tags", "notes", "provenance", "checkpoints", "samples", "evaluations", "error"),
    *("command", "started_at", "parameters", "device_name", "notices", "evaluating", "restored"),
    "likelihood",
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("DDPM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    return find()


def out(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


def out_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    return json.loads(out(capsys, *arguments, "--json"))


def failure(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    return printed.err


def test_ls_of_nothing(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert out_json(capsys, "ls") == []
    assert main(["ls"]) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "no runs yet; try: ddpm-tui train digits" in printed.err


def test_ls_json_has_the_agreed_keys_and_null_for_the_unknown(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    run = record(home, "first", loss=0.25)
    assert out_json(capsys, "ls") == [
        {
            "id": 1, "name": "first", "kind": "train", "status": "finished", "preset": "digits", "step": 10,
            "total_steps": run.config().training.steps, "images_seen": 1280, "loss": 0.25,
            "images_per_second": 97.25, "fid": None, "fid_protocol": None,
            "device": "cpu", "created_at": START, "ended_at": START,
            "parent": None, "path": str(run.path), "waits_for": None,
        }
    ]  # fmt: skip


def test_a_run_that_has_told_nothing_yet(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    run = record(home, "silent")
    run.events_path.write_text("")
    (row,) = out_json(capsys, "ls")
    assert row["status"] == "lost"
    assert [row[k] for k in ("step", "images_seen", "loss", "images_per_second", "fid", "ended_at")] == [
        None
    ] * 6
    assert "silent" in out(capsys, "show", "silent")


def test_ls_shows_filters_sorts_and_limits(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    record(home, "alpha", loss=0.3)
    record(home, "beta", loss=0.1, status="failed", error="out of memory")
    record(home, "gamma", loss=0.2, status=None, tags=("base line",))
    names = lambda *a: [row["name"] for row in out_json(capsys, "ls", *a)]  # noqa: E731
    assert names() == ["gamma", "beta", "alpha"]
    assert names("--sort", "loss") == ["beta", "gamma", "alpha"]
    assert names("--sort", "loss", "--reverse") == ["alpha", "gamma", "beta"]
    assert names("--sort", "name") == ["alpha", "beta", "gamma"]
    assert names("--limit", "1") == ["gamma"]
    assert names("--status", "failed", "--status", "lost") == ["gamma", "beta"]
    assert names("base", "gam") == ["gamma"]
    assert names("--kind", "sample") == []
    assert names("nothing-like-it") == []
    table = out(capsys, "ls", "--limit", "2").splitlines()
    assert re.fullmatch(r"#  name +kind +status +step +loss +images/s +preset +device +age +tags", table[0])
    assert re.fullmatch(
        r"3  gamma +train +\? lost +10/\d+ +0\.2 +97 +digits +cpu +\w+ \w +base line", table[1]
    )
    assert "✗ failed" in table[2]
    main(["ls", "--limit", "2"])
    assert "1 more; --limit 0 shows all" in capsys.readouterr().err
    main(["ls", "nothing-like-it"])
    assert "no runs match" in capsys.readouterr().err


def test_ls_tells_how_long_a_running_run_will_take(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    run = record(home, "long", status=None)
    append(run.path, metrics(20, time="2026-11-23T14:25:10Z"), metrics(30, time="2026-11-23T14:25:20Z"))
    with alive(run.path):
        head, row = out(capsys, "ls").splitlines()
    assert head.split()[-2:] == ["age", "left"]
    assert re.search(r"● running .* (\d+ h \d\d m|\d+ min \d\d s|\d+ s)$", row)


def test_show_json_adds_the_agreed_keys(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    run = record(home, "first", tags=("a", "b"))
    shown = out_json(capsys, "show", "1")
    assert tuple(shown) == (*ROW_KEYS, *SHOW_KEYS)
    assert shown["config"] == run.config().to_dict()
    assert shown["tags"] == ["a", "b"]
    assert (shown["evaluations"], shown["fid"], shown["error"]) == ([], None, None)
    assert shown["provenance"]["seed"] == 0
    known = [shown[key] for key in ("started_at", "parameters", "device_name", "notices")]
    assert known == [START, 1234, "A CPU", []]
    assert out_json(capsys, "wait", "1") == shown


def test_show_tells_why_a_run_failed(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    record(home, "first", status="failed", error="the loss is not finite; try a lower learning rate")
    assert "the loss is not finite; try a lower learning rate" in out(capsys, "show", "last")
    assert out_json(capsys, "show", "first")["error"].startswith("the loss is not finite")


def test_numbers_that_json_lacks_are_null(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    run = record(home, "first", status=None)
    line = {"event": "metrics", "time": START, "step": 20, "images_seen": 2560, "loss": math.nan}
    with run.events_path.open("a") as file:
        file.write(json.dumps(line) + "\n")
    assert "NaN" not in out(capsys, "show", "1", "--json")


@pytest.mark.parametrize(
    "name", ["[red]bold[/red]", "\x1b[31mred\x1b[0m", "a\nb", "\u202eevil", "zero\u200bwidth"]
)
def test_hostile_names_are_shown_literally(name: str, home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    run = record(home, name, status="failed", error=f"error {name}", tags=("[b]t",))
    run.log_path.write_text(f"log {name}\n")
    pages = [out(capsys, *verb) for verb in (("ls",), ("show", "1"), ("logs", "1"))]
    record(home, "other")
    pages.append(out(capsys, "compare", "1", "2"))
    for page in pages:
        assert not {c for c in page if c in "\x1b\u202e\u200b"}
    if name.isprintable():
        assert all(name in page for page in pages)
    assert "[b]t" in pages[0]
    assert json.loads(out(capsys, "show", "1", "--json"))["name"] == name


def test_runs_are_named_by_number_name_beginning_or_last(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("mnist-1", "mnist-2", "digits"):
        record(home, name)
    found = lambda reference: out_json(capsys, "show", reference)["name"]  # noqa: E731
    assert [found(r) for r in ("2", "mnist-1", "dig", "last")] == ["mnist-2", "mnist-1", "digits", "digits"]
    assert "mnist-1" in failure(capsys, "show", "mnist")
    assert "digits" in failure(capsys, "show", "digts")
    failure(capsys, "show", "99")
    failure(capsys, "show", "")


def test_logs(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    run = record(home, "first")
    run.log_path.write_text("".join(f"line {i}\n" for i in range(100)))
    assert out(capsys, "logs", "first", "-n", "2") == "line 98\nline 99\n"
    assert len(out(capsys, "logs", "first").splitlines()) == 50
    assert out(capsys, "logs", "first", "-f", "-n", "1") == "line 99\n"  # ended: nothing to follow


def test_compare_shows_what_differs(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    config, _ = configfiles.resolve("digits")
    record(home, "slow", config=config, loss=0.5)
    record(home, "fast", config=configfiles.override(config, ["training.learning_rate=0.01"]), loss=0.25)
    compared = out_json(capsys, "compare", "slow", "fast")
    assert [run["name"] for run in compared["runs"]] == ["slow", "fast"]
    assert compared["config"] == {"training.learning_rate": [config.training.learning_rate, 0.01]}
    lines = out(capsys, "compare", "1", "2").splitlines()
    assert re.fullmatch(r" +#1 slow +#2 fast", lines[0])
    assert [line.split() for line in lines[2:]] == [
        ["step", "10", "10"],
        ["images", "seen", "1.28k", "1.28k"],
        ["loss", "0.5", "0.25"],
        ["images", "per", "second", "97", "97"],
        ["training.learning_rate", str(config.training.learning_rate), "0.01"],
    ]
    assert "training.batch_size" in out(capsys, "compare", "1", "2", "--all")


def test_compare_tells_bits_per_dim(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    record(home, "without")
    subject = record(home, "with")
    bits = RunDirectory.create(
        home, kind="likelihood", config=subject.config(), name="bits", parent={"uuid": subject.info["uuid"]}
    )
    measured = {"step": 10, "images_seen": 1280, "split": "train", "done": 5, "count": 5}
    append(bits.path, event("bits_per_dim", **measured, bits_per_dim=2.5, error=0.25))
    compared = out_json(capsys, "compare", "without", "with")
    assert compared["bits_per_dim"] == [{}, {"train": 2.5}]
    lines = out(capsys, "compare", "without", "with").splitlines()
    assert ["bits/dim,", "train", "–", "2.500", "±", "0.250"] in [line.split() for line in lines]
    assert "2.500 ± 0.250 of 5 train images" in out(capsys, "show", "with")


def test_compare_of_the_same(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    record(home, "a")
    record(home, "b")
    assert main(["compare", "a", "b"]) == 0
    assert "their configurations are the same" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["compare", "a", "1"])
    assert "a and 1 are the same run" in capsys.readouterr().err


def test_reindex_rebuilds(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    record(home, "a")
    record(home, "b")
    before = out_json(capsys, "ls")
    home.catalogue.unlink()
    assert out(capsys, "reindex") == "2 runs in the catalogue\n"
    assert out_json(capsys, "ls") == before


def test_a_damaged_catalogue_is_rebuilt_with_a_word(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    record(home, "a")
    before = out_json(capsys, "ls")
    home.catalogue.write_bytes(b"not a database at all" * 1000)
    assert main(["ls", "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == before
    assert printed.err.startswith("warning: ")
    assert len(printed.err.splitlines()) == 1
