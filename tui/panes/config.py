"""The configuration of a run, with what differs from its preset marked."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from runs.rows import RunDetail
from runs.text import printable
from tui.panes.base import Pane

Values = dict[str, dict[str, Any]]


class ConfigPane(Pane):
    """Section by section; ◆ stands before a value that the preset does not have."""

    _shown: Values | None = None

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(markup=False)

    def enter(self) -> None:
        self.query_one(VerticalScroll).focus()

    def show(self, detail: RunDetail) -> None:
        if detail.config == self._shown:
            return
        preset = detail.row.preset

        def read() -> Values | None:
            from ddpm import configfiles

            if preset is None or preset not in configfiles.preset_names():
                return None
            return configfiles.resolve(preset)[0].model_dump(mode="json")

        self.background("preset", read, lambda usual: self._fill(detail, usual))

    def _fill(self, detail: RunDetail, usual: Values | None) -> None:
        self._shown = detail.config
        parts: list[RenderableType] = [self._legend(detail, usual), Text()]
        for section, values in detail.config.items():
            if isinstance(values, dict):
                parts += [Text(printable(f"[{section}]"), style=f"bold {self.ink.accent}"), self._section(
                    values, None if usual is None else usual.get(section, {})
                ), Text()]  # fmt: skip
        self.query_one(Static).update(Group(*parts))

    def _legend(self, detail: RunDetail, usual: Values | None) -> Text:
        if usual is None:
            return Text("not of a preset of this program", style=self.ink.dim)
        line = Text("◆ ", style=self.ink.accent)
        return line.append(
            f"differs from the preset {printable(detail.row.preset or '')}", style=self.ink.dim
        )

    def _section(self, values: dict[str, Any], usual: dict[str, Any] | None) -> Table:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for width in (1, 18, 24):
            table.add_column(min_width=width)
        table.add_column()
        for name, value in values.items():
            other = usual is not None and usual.get(name) != value
            table.add_row(
                Text("◆" if other else "", style=self.ink.accent),
                Text(printable(name), style=self.ink.dim),
                Text(value_text(value), style=self.ink.strong if other else self.ink.text),
                Text(f"preset: {value_text((usual or {}).get(name))}" if other else "", style=self.ink.dim),
            )
        return table


def value_text(value: Any) -> str:
    """A value as one types it; unset is said."""
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ", ".join(value_text(v) for v in value)
    if isinstance(value, float):
        return f"{value:g}"
    return printable(str(value))
