"""All keys, those of the place one comes from first."""

from __future__ import annotations

from typing import ClassVar

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.keys import EVERYWHERE, FORMS, LISTS, TABLE, TITLES, face
from tui.theme import Ink


class HelpScreen(ModalScreen[None]):
    """The table of keys to read; esc or ? closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,f1", "close", "close"),
        Binding("down,j", "scroll(1)", show=False),
        Binding("up,k", "scroll(-1)", show=False),
    ]

    def __init__(self, place: str) -> None:
        super().__init__()
        self._place = place

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help", classes="dialog") as box:
            box.border_title = Content("Keys")
            box.border_subtitle = Content("esc closes")
            yield Static(self._keys(self._place), markup=False)

    def on_mount(self) -> None:
        order = [self._place, FORMS, LISTS, EVERYWHERE]
        order += [place for place in TABLE if place not in order]
        # The keys of the place are seen at once, the others a moment later.
        self.call_after_refresh(lambda: self.query_one(Static).update(self._keys(*order)))

    def _keys(self, *places: str) -> Group:
        ink = Ink.of(self.app.theme_variables)
        parts: list[RenderableType] = []
        for place in places:
            parts += [Text(TITLES[place], style=f"bold {ink.accent}"), self._table(place, ink), Text()]
        return Group(*parts[:-1])

    def _table(self, place: str, ink: Ink) -> Table:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), expand=True)
        table.add_column(width=9, no_wrap=True)
        table.add_column(ratio=1)
        for key in TABLE[place]:
            names = key.shown or "  ".join(face(k) for k in key.keys.split(",") if k != "equals_sign")
            table.add_row(Text(names, style=f"bold {ink.primary}"), Text(key.help, style=ink.text))
        return table

    def action_close(self) -> None:
        self.dismiss()

    def action_scroll(self, lines: int) -> None:
        self.query_one("#help").scroll_relative(y=lines, animate=False)
