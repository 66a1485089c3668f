"""What stands on standard error while a run is followed, and how Ctrl-C is counted."""

import os
import pty
import signal
import subprocess
import sys
import termios
import time
from dataclasses import replace
from fcntl import ioctl
from pathlib import Path

import pytest

from runs.catalogue import Catalogue
from runs.cli import progress
from runs.cli.interrupts import Interrupts
from runs.home import find
from runs.rows import EvaluatingRow, RunDetail
from tests.runs.cli.command import record


@pytest.fixture
def detail(tmp_path: Path) -> RunDetail:
    home = find(str(tmp_path))
    record(home, "[red]\x1b[31mname", status=None, loss=0.5)
    with Catalogue(home) as catalogue:
        catalogue.sync()
        found = catalogue.detail(1)
    return replace(found, row=replace(found.row, status="running", total_steps=20, seconds_left=200.0))


def test_state_leaves_out_what_is_unknown(detail: RunDetail) -> None:
    assert progress.state(detail.row) == ["loss 0.5", "97 img/s", "3 min 20 s left"]
    assert progress.state(detail.row, stopping=True) == ["loss 0.5", "97 img/s", "stopping"]
    unknown = replace(detail.row, loss=None, images_per_second=None, seconds_left=None)
    assert progress.state(unknown) == []


def evaluating(detail: RunDetail, kind: str, stage: str, done: int) -> RunDetail:
    row = replace(detail.row, kind=kind, step=done if kind == "evaluate" else 10, total_steps=64, loss=0.5)
    return replace(detail, row=row, evaluating=EvaluatingRow(stage, done, 64, 30.0))


def test_an_evaluation_shows_its_stage_and_what_is_left_of_it(detail: RunDetail) -> None:
    of_its_own = evaluating(detail, "evaluate", "reference", 16)
    assert progress.reached(of_its_own) == ("reference 16/64", 16, 64)
    assert progress.state(of_its_own.row, evaluating=of_its_own.evaluating) == ["97 img/s", "30 s left"]
    assert progress.reached(evaluating(detail, "evaluate", "scores", 0)) == ("scores", 0, 64)
    within = evaluating(detail, "train", "samples", 16)
    assert progress.reached(within) == ("10/64", 10, 64)  # the training's own steps
    assert progress.state(within.row, evaluating=within.evaluating) == [
        "samples 16/64",
        "97 img/s",
        "30 s left",
    ]
    bar = progress.Bar()
    bar.update(of_its_own)
    with bar.console.capture() as shown:
        bar.console.print(bar._progress)
    assert "reference 16/64" in shown.get()
    assert "30 s left" in shown.get()


def test_lines_tell_of_an_evaluation_within_a_training(
    detail: RunDetail, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    view = progress.Lines()
    for clock[0], done in ((100, 16), (111, 32), (122, 32)):
        view.update(evaluating(detail, "train", "samples", done))
    assert [line.split("  ")[2] for line in capsys.readouterr().err.splitlines()] == [
        "samples 16/64",
        "samples 32/64",
    ]


def test_lines_come_now_and_then(
    detail: RunDetail, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    view = progress.Lines()
    with view:
        for clock[0], step in ((100, 10), (101, 11), (109, 12), (110, 12), (115, 13), (121, 13), (131, 13)):
            view.update(replace(detail, row=replace(detail.row, step=step)))
        view.note("a\x1b[2Jnote")
    printed = capsys.readouterr()
    assert printed.out == ""
    lines = printed.err.splitlines()
    assert lines[0] == "[red]␛[31mname  10/20  loss 0.5  97 img/s  3 min 20 s left"
    assert [line.split()[1] for line in lines[1:-1]] == ["12/20", "13/20"]
    assert lines[-1] == "a␛[2Jnote"


def test_a_run_that_has_told_nothing_gets_no_line(
    detail: RunDetail, capsys: pytest.CaptureFixture[str]
) -> None:
    progress.Lines().update(replace(detail, row=replace(detail.row, step=None)))
    assert capsys.readouterr().err == ""


def test_the_bar_shows_names_literally(detail: RunDetail) -> None:
    bar = progress.Bar()
    bar.update(detail)
    with bar.console.capture() as shown:
        bar.console.print(bar._progress)
    assert "[red]␛[31mname" in shown.get()
    assert "10/20" in shown.get()
    assert "loss 0.5" in shown.get()
    assert "\x1b[31m" not in shown.get()


#: A shell of the least kind: a job of its own in the background, waited for until it ends or is suspended.
BACKGROUND = """
import os, signal, sys
from runs.cli.progress import _echo_of_controls
job = os.fork()
if not job:
    os.setpgid(0, 0)
    earlier = _echo_of_controls(None)
    _echo_of_controls(earlier)
    os._exit(7 if earlier is None else 8)
status = os.waitpid(job, os.WUNTRACED)[1]
if os.WIFSTOPPED(status):
    os.kill(job, signal.SIGKILL)
sys.exit(99 if os.WIFSTOPPED(status) else os.waitstatus_to_exitcode(status))
"""


def test_a_background_job_is_not_suspended() -> None:
    master, slave = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", BACKGROUND],
        stdin=slave,
        start_new_session=True,
        preexec_fn=lambda: ioctl(0, termios.TIOCSCTTY, 0),
        timeout=30,
    )
    os.close(slave)
    os.close(master)
    assert done.returncode == 7


def test_interrupts_are_counted_and_wake_a_wait() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interrupts() as interrupts:
        start = time.monotonic()
        os.kill(os.getpid(), signal.SIGINT)
        interrupts.wait(10)
        assert time.monotonic() - start < 5
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupts.count == 2
        interrupts.wait(10)
        interrupts.wait(0)
    assert signal.getsignal(signal.SIGINT) is before
