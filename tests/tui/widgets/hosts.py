"""A small app around one widget, and how the tests look at it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.message import Message
from textual.pilot import Pilot
from textual.widget import Widget


class Host(App[None]):
    """Shows widgets, keeps the messages of `kinds` that reach it, and counts the escapes left to it."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "note_escape", "")]

    def __init__(self, *widgets: Widget, kinds: tuple[type[Message], ...] = (), css: str = "") -> None:
        super().__init__()
        self.widgets = widgets
        self.kinds = kinds
        self.seen: list[Message] = []
        self.css_text = css
        self.escapes = 0

    def compose(self) -> ComposeResult:
        if self.css_text:
            self.stylesheet.add_source(self.css_text)
        yield from self.widgets

    def action_note_escape(self) -> None:
        """Escape reached the app."""
        self.escapes += 1

    async def _on_message(self, message: Message) -> None:
        if isinstance(message, self.kinds):
            self.seen.append(message)
        await super()._on_message(message)


def lines(widget: Widget) -> list[str]:
    """The rows of a widget that renders line by line."""
    crop = widget.size.region
    return [strip.text.rstrip() for strip in widget.render_lines(crop)]


async def until(pilot: Pilot[None], condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Let the app work until `condition` holds; what threads hand in takes a moment."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        await pilot.pause(0.02)
    await pilot.pause()
