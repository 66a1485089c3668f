"""Work in a process of its own: its answers as they come, its failures in one line, its end with ours."""

import os
import subprocess
import sys
import textwrap
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from runs import interpreter
from runs.engine import answers
from runs.errors import RunError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Modules that are written here can be run."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def write(folder: Path, code: str) -> str:
    """A module to run; its name."""
    (folder / "piece_of_work.py").write_text(textwrap.dedent(code))
    return "piece_of_work"


def test_answers_come_one_by_one(folder: Path) -> None:
    module = write(
        folder,
        """
        import json, sys, time
        print(json.dumps({"given": sys.argv[1:]}), flush=True)
        time.sleep(30 if "stay" in sys.argv else 0)
        print(json.dumps({"done": 1}))
        """,
    )
    assert list(answers(module, "a b", "--c")) == [{"given": ["a b", "--c"]}, {"done": 1}]
    began = time.monotonic()
    with closing(answers(module, "stay")) as told:
        assert next(told) == {"given": ["stay"]}
    assert time.monotonic() - began < 20


def test_leaving_early_ends_the_process(folder: Path) -> None:
    module = write(
        folder, "import json, os, time\nprint(json.dumps({'pid': os.getpid()}), flush=True)\ntime.sleep(60)"
    )
    with closing(answers(module)) as told:
        process = next(told)["pid"]
        os.kill(process, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_leaving_early_ends_a_process_that_hears_no_signal(folder: Path) -> None:
    """As in the middle of a long computation."""
    module = write(
        folder,
        """
        import json, os, signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print(json.dumps({"pid": os.getpid()}), flush=True)
        time.sleep(60)
        """,
    )
    began = time.monotonic()
    with closing(answers(module)) as told:
        process = next(told)["pid"]
    assert time.monotonic() - began < 30
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ('print(\'{"error": "the file x is damaged"}\'); raise SystemExit(1)', r"^the file x is damaged$"),
        ("raise ValueError('odd')", r"^piece_of_work failed: ValueError: odd$"),
        ("raise SystemExit(3)", r"^piece_of_work failed: exit code 3$"),
        ("import os; os.kill(os.getpid(), 9)", r"^piece_of_work failed: ended by signal 9$"),
        ("print('hello')", r"^piece_of_work printed what is no JSON object: 'hello'$"),
        ("print('[1]')", r"printed what is no JSON object: '\[1\]'$"),
    ],
)
def test_failures_are_one_line(folder: Path, code: str, told: str) -> None:
    with pytest.raises(RunError, match=told):
        list(answers(write(folder, code)))


def test_a_module_that_is_not_there() -> None:
    with pytest.raises(RunError, match="No module named"):
        list(answers("no_such_work"))


def test_who_is_killed_takes_the_work_along(folder: Path) -> None:
    """Also work that prints nothing, and so never hears that no one listens any more."""
    write(
        folder,
        """
        import json, os, signal, time
        from ddpm import asker
        asker.end_with_it()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as in the middle of a long computation
        print(json.dumps({"pid": os.getpid()}), flush=True)
        time.sleep(60)
        """,
    )
    asking = """if True:
        from runs.engine import answers
        for found in answers("piece_of_work"):
            print(found["pid"], flush=True)
    """
    with subprocess.Popen(
        [sys.executable, "-c", asking], stdout=subprocess.PIPE, text=True, env=interpreter.environment()
    ) as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        assert psutil.pid_exists(worker)
        process.kill()
    end = time.monotonic() + 15
    while psutil.pid_exists(worker) and psutil.Process(worker).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end, "it works on, for no one"
        time.sleep(0.1)
