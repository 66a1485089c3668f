"""The arrows between the packages, and what may not be imported on the quick paths."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def imports(path: Path) -> Iterator[str]:
    """Top-level packages that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("ddpm", {"runs", "tui", "textual", "rich", "sqlalchemy", "diffusers"}),
        ("runs", {"textual", "torchvision", "diffusers"}),
        ("tui", {"torch", "torchvision", "sqlalchemy", "diffusers"}),
    ],
)
def test_imports_go_one_way(package: str, forbidden: set[str]) -> None:
    for path in (ROOT / package).rglob("*.py"):
        found = forbidden & set(imports(path))
        assert not found, f"{path.relative_to(ROOT)} imports {found}"


def test_the_app_is_known_to_the_command_alone_and_torch_to_the_worker_alone() -> None:
    for path in (ROOT / "runs").rglob("*.py"):
        found = set(imports(path))
        assert "tui" not in found or path.parent.name == "cli", path
        assert "torch" not in found or path.name == "worker.py", path


def loaded_by(code: str) -> set[str]:
    """Top-level modules in sys.modules after `code` in a fresh interpreter."""
    script = f"{code}\nimport sys; print('\\n'.join(sorted({{m.partition('.')[0] for m in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("code", "forbidden"),
    [
        ("import ddpm, ddpm.config, ddpm.events, ddpm.configfiles", {"torch", "numpy", "PIL", "scipy"}),
        ("import ddpm.checkpoint, ddpm.sizes, ddpm.datafiles", {"torch", "numpy", "torchvision"}),
        ("import runs.rows, runs.home, runs.status", {"torch", "sqlalchemy", "pydantic", "rich", "textual"}),
        ("import tui.app", {"torch", "torchvision", "sqlalchemy", "numpy"}),
    ],
)
def test_quick_paths_stay_quick(code: str, forbidden: set[str]) -> None:
    assert not forbidden & loaded_by(code)


def test_no_file_asks_to_be_two() -> None:
    for package in ("ddpm", "runs", "tui", "tests", "benchmarks"):
        for path in (ROOT / package).rglob("*.py"):
            assert len(path.read_text(encoding="utf-8").splitlines()) < 500, path
