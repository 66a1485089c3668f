"""What may be imported for which verb: the command must feel instant (design: "Feeling fast")."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from runs.cli.main import VERBS
from runs.home import find
from tests.runs.cli.command import environment, record

HEAVY = {"torch", "torchvision", "textual", "numpy", "PIL", "scipy"}
CATALOGUE = {"sqlalchemy"}
MODELS = {"pydantic", "tomli_w"}
LOOKS = {"rich"}

PROBE = """
import contextlib, io, json, sys
from runs.cli.main import main
with contextlib.redirect_stdout(io.StringIO()):
    try:
        status = main(sys.argv[1:])
    except SystemExit as leaving:
        status = leaving.code
print(json.dumps([status, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


def imported(*arguments: str) -> set[str]:
    """The top-level packages in memory after a successful call."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    status, modules = json.loads(done.stdout)
    assert status == 0, done.stderr
    return set(modules)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = find(str(tmp_path_factory.mktemp("home")))
    record(found, "mnist-1")
    record(found, "mnist-2")
    return found.path


@pytest.mark.parametrize("arguments", [("--help",), *((verb, "--help") for verb in VERBS)], ids=" ".join)
def test_help_imports_next_to_nothing(arguments: tuple[str, ...]) -> None:
    assert not imported(*arguments) & (HEAVY | CATALOGUE | MODELS | LOOKS)


@pytest.mark.parametrize(
    "arguments",
    [
        ("ls",),
        ("ls", "--json"),
        ("show", "1"),
        ("show", "1", "--json"),
        ("compare", "1", "2"),
        ("logs", "1"),
        ("leaderboard",),
    ],
    ids=" ".join,
)
def test_reading_needs_the_catalogue_and_no_more(home: Path, arguments: tuple[str, ...]) -> None:
    assert not imported("--home", str(home), *arguments) & (HEAVY | MODELS | LOOKS)


def test_configurations_need_no_catalogue() -> None:
    assert not imported("presets") & (HEAVY | CATALOGUE | LOOKS)
    assert not imported("train", "digits", "--dry-run") & (HEAVY | CATALOGUE | LOOKS)


def test_keeping_house_needs_no_torch(home: Path) -> None:
    assert not imported("--home", str(home), "edit", "1", "--tag", "x") & HEAVY
    assert not imported("--home", str(home), "reindex") & HEAVY
