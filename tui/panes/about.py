"""Where a run comes from: times, machine, versions, command."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from runs import humanize
from runs.rows import RunDetail
from runs.text import printable
from tui.panes.base import Pane


class AboutPane(Pane):
    """The provenance of a run, in words."""

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(markup=False)

    def enter(self) -> None:
        self.query_one(VerticalScroll).focus()

    def show(self, detail: RunDetail) -> None:
        parts: list[RenderableType] = []
        for title, rows in _sections(detail):
            table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
            table.add_column(min_width=12, style=self.ink.dim)
            table.add_column(overflow="fold", style=self.ink.text)
            for label, value in rows:
                if value not in (None, ""):
                    table.add_row(Text(label), Text(printable(str(value))))
            if table.row_count:
                parts += [Text(title, style=f"bold {self.ink.accent}"), table, Text()]
        self.query_one(Static).update(Group(*parts))


def _sections(detail: RunDetail) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    row, source = detail.row, detail.provenance
    yield (
        "run",
        [
            ("number", row.id),
            ("name", row.name),
            ("tags", " ".join(row.tags)),
            ("notes", detail.notes),
            ("created", _time(row.created_at)),
            ("started", _time(detail.started_at)),
            ("ended", _time(row.ended_at)),
            ("folder", row.path),
            ("on disk", None if detail.bytes is None else humanize.bytes_text(detail.bytes)),
            ("from", None if row.parent is None else f"run #{row.parent}"),
            ("identity", detail.uuid),
        ],
    )
    yield (
        "work",
        [
            ("device", " · ".join(d for d in (row.device, detail.device_name) if d)),
            ("network", None if detail.parameters is None else f"{detail.parameters:,} parameters"),
            ("data", None if detail.dataset_size is None else f"{detail.dataset_size:,} images"),
            ("command", shlex.join(detail.command)),
            *(("notice", notice) for notice in detail.notices),
        ],
    )
    packages = source.get("packages")
    commit = source.get("git_commit")
    yield (
        "machine",
        [
            ("host", source.get("host")),
            ("user", source.get("user")),
            ("platform", source.get("platform")),
            ("python", source.get("python")),
            ("packages", _packages(packages)),
            ("git commit", commit and f"{commit}{' (with changes)' if source.get('git_dirty') else ''}"),
            ("seed", source.get("seed")),
        ],
    )


def _packages(packages: Any) -> str | None:
    if not isinstance(packages, dict):
        return None
    return "  ".join(f"{name} {version}" for name, version in packages.items())


def _time(iso: str | None) -> str | None:
    return (
        None if iso is None else f"{iso.replace('T', ' ').removesuffix('Z')} UTC  ({humanize.age(iso)} ago)"
    )
