"""The first and the last line of every screen: where one is, and which keys matter here."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rich.text import Text
from textual import events
from textual.app import ComposeResult, RenderResult
from textual.containers import Horizontal
from textual.reactive import reactive
from textual.widget import Widget

from runs.text import printable
from tui.keys import EVERYWHERE, TABLE, Key
from tui.theme import Ink

if TYPE_CHECKING:
    from tui.screens.base import Place


class Title(Widget):
    """The name of the program, the place, and what is to say of it."""

    where: reactive[str] = reactive("")
    note: reactive[str] = reactive("")

    def render(self) -> RenderResult:
        ink = Ink.of(self.app.theme_variables)
        line = Text(no_wrap=True, overflow="ellipsis", end="")
        line.append("ddpm-tui", style=f"bold {ink.primary}").append("   ")
        for i, part in enumerate(self.where.split(" › ", 1)):
            line.append(" › " if i else "", style=ink.faint)
            line.append(printable(part), style=f"bold {ink.strong}")
        if self.note:
            line.append(f"   {printable(self.note)}", style=ink.dim)
        return line


class TopBar(Horizontal):
    """Title and meters; these come after the first frame, as they look at the machine."""

    def compose(self) -> ComposeResult:
        yield Title()

    def on_mount(self) -> None:
        self.call_after_refresh(self._add_meters)

    def _add_meters(self) -> None:
        from tui.widgets.meters import Meters

        if self.is_attached:
            self.mount(Meters())


class ClickLine(Widget):
    """One line of words, each of which can be clicked."""

    def __init__(self) -> None:
        super().__init__()
        self._places: list[tuple[int, int, str]] = []

    def word(self, line: Text, text: Text, action: str) -> None:
        """Appends a word to a line and remembers where it stands."""
        first = line.cell_len
        line.append_text(text)
        self._places.append((first, line.cell_len, action))

    async def on_click(self, event: events.Click) -> None:
        for first, last, action in self._places:
            if first <= event.x < last:
                await self.screen.run_action(action)
                return


class KeyBar(ClickLine):
    """The keys that matter here, as many as there is room for."""

    def render(self) -> RenderResult:
        ink = Ink.of(self.app.theme_variables)
        here, always = self._keys()
        self._places = []
        line = Text(no_wrap=True, end="")
        room = self.size.width - sum(_width(key) for key in always)
        fitting = set()
        for key in sorted(here, key=lambda key: not key.first):
            if _width(key) <= room:
                room -= _width(key)
                fitting.add(key)
        for key in here:
            if key in fitting:
                self.word(line, _face(key, ink), _press(key))
        line.append(" " * max(0, room))
        for key in always:
            self.word(line, _face(key, ink), _press(key))
        return line

    def _keys(self) -> tuple[list[Key], list[Key]]:
        screen = cast("Place", self.screen)
        here = [key for key in TABLE[screen.place] if key.label and screen.offers(key)]
        always = [key for key in TABLE[EVERYWHERE] if key.label and screen.offers(key)]
        return here, always


def _width(key: Key) -> int:
    return len(key.face) + 1 + len(key.label) + 2


def _face(key: Key, ink: Ink) -> Text:
    return Text(key.face, style=f"bold {ink.primary}").append(f" {key.label}  ", style=ink.dim)


def _press(key: Key) -> str:
    return f"screen.press('{key.keys.partition(',')[0]}')"
