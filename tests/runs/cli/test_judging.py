"""Evaluations in ls, show, compare, wait and leaderboard: what is printed, what JSON holds."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ddpm import configfiles
from ddpm.evaluation.protocol import identity
from runs.cli.main import main
from runs.directory import RunDirectory, take_lock
from runs.home import Home, find
from tests.runs.cli.command import START, record
from tests.runs.records import evaluated, evaluating, protocol, started

FEW = protocol(samples=16)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("DDPM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    return find()


@pytest.fixture
def out(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def call(*arguments: str) -> str:
        assert main(arguments) == 0
        return capsys.readouterr().out

    return call


def judged(
    home: Home, parent: RunDirectory, *events: dict[str, Any], status: str | None = "finished", **info: Any
) -> RunDirectory:
    """An evaluating run of a checkpoint of `parent`, as its files are once it has ended."""
    whose = {"uuid": parent.uuid, "id": parent.id, "name": parent.name, "step": 10}
    config = configfiles.resolve("digits", ["evaluation.samples=64"])[0]
    run = RunDirectory.create(
        home, kind="evaluate", config=config, name=None, stem=f"{parent.name}-evaluate", parent=whose, **info
    )
    for event in (started(10), *events):
        run.append_event({**event, "time": event.get("time") or START})
    if status:
        run.append_event({"event": "ended", "time": START, "status": status, "step": 10, "images_seen": 80})
    return run


def test_ls_counts_an_evaluations_images_and_has_the_fid(home: Home, out: Callable[..., str]) -> None:
    parent = record(home, "first")
    judged(home, parent, evaluating("samples", 64), evaluated(10, 12.345678))
    running = judged(home, parent, evaluating("samples", 0), evaluating("samples", 16), status=None)
    lock = take_lock(running.path)
    rows = json.loads(out("ls", "--json"))
    assert [(r["kind"], r["status"], r["step"], r["total_steps"], r["fid"], r["parent"]) for r in rows] == [
        ("evaluate", "running", 16, 64, None, 1),
        ("evaluate", "finished", 64, 64, 12.345678, 1),
        ("train", "finished", 10, parent.config().training.steps, 12.345678, None),
    ]
    table = out("ls", "--kind", "evaluate").splitlines()
    assert table[0].split()[:6] == ["#", "name", "kind", "status", "step", "fid"]
    assert "16/64" in table[1]
    assert table[2].split()[:7] == ["2", "first-evaluate-1", "evaluate", "✓", "finished", "64", "12.35"]
    assert table[0].split()[6] == "of"
    assert table[2].split()[7:9] == ["64", "tf"]
    assert rows[1]["fid_protocol"] == {
        "id": identity(protocol()),
        "samples": 64,
        "convention": "tensorflow",
    }
    assert [row["fid_protocol"] for row in rows] == [None, *[rows[1]["fid_protocol"]] * 2]
    assert "  fid           12.35 (64 tf)\n" in out("show", "first")
    assert json.loads(out("show", "first", "--json"))["fid_protocol"] == rows[1]["fid_protocol"]
    page = out("show", "3")
    assert "  images        16/64\n" in page
    assert "  evaluating    samples, 16 of 64 images" in page
    assert "  kind          evaluate of run 1@10\n" in page
    assert json.loads(out("show", "3", "--json"))["evaluating"] == {
        "stage": "samples",
        "done": 16,
        "total": 64,
        "seconds_left": None,
    }
    os.close(lock)


def test_show_has_all_evaluations_of_a_training(home: Home, out: Callable[..., str]) -> None:
    parent = record(home, "first")
    judged(home, parent, evaluated(10, 30.5))
    judged(home, parent, evaluated(10, 99.0, protocol=FEW, samples=16, floor=None, kid=None))
    shown = json.loads(out("show", "first", "--json"))
    assert [e["fid"] for e in shown["evaluations"]] == [30.5, 99.0]
    first = shown["evaluations"][0]
    assert (first["run_name"], first["subject_name"], first["step"], first["seed"]) == (
        "first-evaluate-1",
        "first",
        10,
        3,
    )
    assert (first["protocol"], first["floor"]["fid"], first["recall"]) == (protocol(), 1.5, 0.25)
    page = out("show", "first").splitlines()
    at = page.index("evaluations")
    assert page[at + 1].split() == [
        *("checkpoint", "FID", "KID", "prec.", "recall", "density", "cover.", "samples", "protocol", "by")
    ]
    assert page[at + 2].split()[:8] == ["@10", "30.50", "0.01000", "±", "0.00100", "0.500", "0.250", "0.750"]
    assert page[at + 3].split()[:3] == ["@10", "99.00", "–"]
    at = page.index("protocols")
    assert page[at + 1] == (
        f"  {first['protocol_id']}  Inception, tensorflow · digits train (1,797) · 64 samples · "
        "ddim 50 steps, uniform, eta 0, ema 0.99"
    )
    assert page[at + 2].strip() == "floor 1.50: the FID of the test split at 64 images"


def test_the_end_of_an_evaluation_is_its_scores_floor_and_protocol(
    home: Home, out: Callable[..., str]
) -> None:
    judged(home, record(home, "first"), evaluated(10, 12.5, classifier_fd=7.25))
    lines = out("wait", "last").splitlines()
    assert lines[0] == "first-evaluate-1 ✓ finished · images 64 · fid 12.50"
    scores = lines[3:]
    assert scores[0].split() == ["first@10", "floor", "(64", "images", "of", "test)"]
    assert [line.split() for line in scores[1:8]] == [
        ["FID", "12.50", "1.50"],
        ["KID", "0.01000", "±", "0.00100", "–"],
        ["precision", "0.500", "–"],
        ["recall", "0.250", "–"],
        ["density", "0.750", "–"],
        ["coverage", "0.500", "–"],
        ["classifier", "FD", "7.25", "–"],
    ]
    text = "\n".join(scores)
    assert "Inception (b4b4b4b4b4b4), tensorflow convention" in text
    assert "digits train, 1,797 images of 1×8×8" in text
    assert "64 images of seed 3" in text
    assert "FID grows as fewer images are drawn: this one compares with others of 64." in text
    assert "Of fewer than 1,000 images the other scores say little too." in text
    assert "The floor is at" not in text
    assert "\n".join(f"  {line}".rstrip() for line in scores) in out("show", "last")


def test_a_floor_of_another_number_of_images_is_told_as_such(home: Home, out: Callable[..., str]) -> None:
    floor = {"split": "test", "samples": 10_000, "fid": 3.1456}
    many = evaluated(10, 12.5, protocol=protocol(samples=50_000), samples=50_000, floor=floor)
    judged(home, record(home, "first"), many)
    said = "floor 3.15: the FID of the test split at 10,000 images, not 50,000"
    assert said in out("leaderboard")
    assert said in out("show", "first")
    page = out("wait", "last")
    assert "The floor is at 10,000 images, these scores at 50,000: it is lower with more." in page
    assert "FID grows" not in page
    assert "say little" not in page


def test_an_evaluation_that_was_stopped_says_how_to_go_on(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    judged(home, record(home, "first"), evaluating("samples", 16), status="stopped")
    assert main(["wait", "last"]) == 1
    printed = capsys.readouterr()
    assert printed.out.startswith("first-evaluate-1 ■ stopped · images 16/64\n")
    assert "To go on with it: ddpm-tui resume 2" in printed.err


def test_the_leaderboard_says_what_may_not_be_ranked_together(home: Home, out: Callable[..., str]) -> None:
    first, second = record(home, "first"), record(home, "second")
    judged(home, first, evaluated(10, 30.0))
    judged(home, second, evaluated(10, 20.0))
    judged(home, second, evaluated(10, 5.0, protocol=FEW, samples=16, floor=None))
    groups = json.loads(out("leaderboard", "--json"))
    assert [[(e["subject_name"], e["fid"]) for e in g["rows"]] for g in groups] == [
        [("second", 20.0), ("first", 30.0)],
        [("second", 5.0)],
    ]
    assert [g["differs_from_first"] for g in groups] == [[], ["samples: 16 against 64"]]
    assert (groups[0]["protocol"], groups[0]["floor"]["fid"]) == (protocol(), 1.5)
    lines = out("leaderboard").splitlines()
    assert lines[0] == f"protocol {groups[0]['protocol_id']}"
    assert lines[2] == "floor 1.50: the FID of the test split at 64 images"
    assert [line.split()[:3] for line in lines[4:6]] == [
        ["1", "second@10", "20.00"],
        ["2", "first@10", "30.00"],
    ]
    assert f"not to be ranked with {groups[0]['protocol_id']}: samples: 16 against 64" in lines
    assert lines[-1].split()[:3] == ["1", "second@10", "5.00"]


def test_a_leaderboard_of_nothing(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    record(home, "first")
    assert main(["leaderboard", "--json"]) == 0
    assert capsys.readouterr().out == "[]\n"
    assert main(["leaderboard"]) == 0
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "no evaluations yet; try: ddpm-tui evaluate RUN\n")


def test_compare_says_whether_the_fids_compare(
    home: Home, out: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, third = (record(home, name) for name in ("first", "second", "third"))
    judged(home, first, evaluated(10, 30.0))
    judged(home, second, evaluated(10, 20.0))
    assert json.loads(out("compare", "1", "2", "--json"))["fid"]["comparable"] is True
    judged(home, second, evaluated(10, 5.0, protocol=FEW, time="2026-11-29T10:00:00Z"))
    found = json.loads(out("compare", "1", "2", "3", "--json"))
    assert found["fid"]["values"] == [30.0, 20.0, None]  # under the protocol that both have
    assert found["fid"]["comparable"] is True
    assert [row["fid"] for row in found["runs"]] == [30.0, 5.0, None]
    judged(home, third, evaluated(10, 8.0, protocol=protocol(reference=None)))
    assert main(["compare", "1", "2", "3"]) == 0
    printed = capsys.readouterr()
    assert "fid, protocols differ" in printed.out
    assert "30.00" in printed.out
    line = next(line for line in printed.out.splitlines() if line.startswith("fid of"))
    assert line.split()[2:] == ["64", "tf", "16", "tf", "64", "tf"]
    assert (
        "the FIDs do not compare, their protocols differ: samples: 64 against 16; reference.data"
        in printed.err
    )
    found = json.loads(out("compare", "1", "2", "3", "--json"))["fid"]
    assert (found["comparable"], found["values"]) == (False, [30.0, 5.0, 8.0])
    assert "samples: 64 against 16" in found["differences"]


def test_compare_takes_the_decisive_evaluations_not_the_newest(home: Home, out: Callable[..., str]) -> None:
    first, second = (record(home, name) for name in ("first", "second"))
    late = {"protocol": FEW, "samples": 16, "time": "2026-12-24T10:00:00Z"}
    judged(home, first, evaluated(10, 30.0))
    judged(home, first, evaluated(10, 90.0, **late))

    def values() -> list[float]:
        return json.loads(out("compare", "1", "2", "--json"))["fid"]["values"]

    other = protocol(reference=None, samples=8)
    judged(home, second, evaluated(10, 70.0, protocol=other, samples=8))
    assert values() == [30.0, 70.0]  # no protocol is common
    judged(home, second, evaluated(10, 80.0, **late))
    assert values() == [90.0, 80.0]  # the only common one
    judged(home, second, evaluated(10, 20.0))
    assert values() == [30.0, 20.0]  # of the common ones that of more images


@pytest.mark.parametrize(
    "odd",
    [
        {}, {"features": "none", "reference": [], "samples": "many", "sampling": 5},
        protocol(features={"network": "\x1b[31mred", "weights": 5, "convention": None}),
        protocol(sampling={"sampler": "[b]", "eta": "x", "weights": "model"}, reference={"shape": 8}),
    ],
)  # fmt: skip
def test_protocols_of_others_are_shown_literally(
    odd: dict[str, Any], home: Home, out: Callable[..., str]
) -> None:
    parent = record(home, "first")
    judged(
        home, parent, evaluated(10, protocol=odd, floor={"fid": "\x1b[2J", "split": ["\x1b"], "samples": -1})
    )
    for verb in (
        ("show", "1"),
        ("show", "2"),
        ("wait", "2"),
        ("leaderboard",),
        ("compare", "1", "2"),
        ("ls",),
    ):
        assert "\x1b" not in out(*verb)


def test_an_evaluation_of_a_run_that_is_not_here(home: Home, out: Callable[..., str]) -> None:
    parent = record(home, "first")
    judged(home, parent, evaluated(10))
    assert main(["rm", "first"]) == 0
    assert "–@10" in out("leaderboard")
    assert "–@10" in out("show", "last")
