"""Work of minutes on standard error: plain lines, or on a terminal a bar that leaves nothing behind."""

import time

import pytest

from runs.cli import waiting
from runs.cli.waiting import Waiting


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_lines_come_now_and_then_and_with_each_stage(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with Waiting("train\x1b[2Jing") as view:
        for clock[0], done in ((100, 0), (105, 500), (110, 1000), (112, 1100)):
            view.update(done, 4000)
        view.update(10, 0, "reading")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == [
        "train␛[2Jing  0 of 4,000 images",
        "train␛[2Jing  1,000 of 4,000 images  30 s left",
        "reading  10 images",
    ]


def test_the_time_left_counts_what_this_stage_did(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    """Work that was gone on with was not done in no time."""
    with Waiting("training") as view:
        view.update(3000, 4000)
        clock[0] += 10
        view.update(3100, 4000)
    assert capsys.readouterr().err.splitlines()[-1].endswith("1 min 30 s left")


def test_the_bar_shows_text_literally() -> None:
    bar = waiting._Bar("[red]\x1b[31mwork")
    bar.show("[red]\x1b[31mwork", "3 of 4", "1 s left", 3, 4)
    console = bar._progress.console
    with console.capture() as shown:
        console.print(bar._progress)
    bar.close()
    assert "[red]␛[31mwork" in shown.get()
    assert "3 of 4" in shown.get()
    assert "\x1b[31m" not in shown.get()


def test_each_stage_counts_in_its_own_unit(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with Waiting("starting") as view:
        view.update(0, 0, "looking", "images")
        view.update(0, 95_722_471, "downloading", "bytes")
        clock[0] += 10
        view.update(47_861_235, 95_722_471, "downloading", "bytes")
        view.update(8, 40, "features", "images")
    assert capsys.readouterr().err.splitlines() == [
        "looking",
        "downloading  0 B of 96 MB",
        "downloading  48 MB of 96 MB  10 s left",
        "features  8 of 40 images",
    ]
