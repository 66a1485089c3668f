"""One of a few values, all of them in view where there is room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

_GAP = 2


class Choice(Widget, can_focus=True):
    """● linear  ○ cosine: ← → (or space, or a click) choose. In narrow places ‹ linear ›."""

    DEFAULT_CSS = """
    Choice {
        width: auto;
        height: 1;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "Before", show=False),
        Binding("right,space", "move(1)", "Next", show=False),
    ]

    value: reactive[str] = reactive("")

    class Changed(Message):
        """Another value was chosen."""

        def __init__(self, choice: Choice, value: str) -> None:
            super().__init__()
            self.choice = choice
            self.value = value

        @property
        def control(self) -> Choice:
            return self.choice

    def __init__(
        self,
        options: Sequence[tuple[str, str]],
        value: str,
        *,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - as Textual names it
        classes: str | None = None,
    ) -> None:
        """`options` are (value, what is shown of it)."""
        super().__init__(name=name, id=id, classes=classes)
        self.options = tuple(options)
        self.set_reactive(Choice.value, value)

    @property
    def index(self) -> int:
        """Of the chosen option; -1 when the value is none of them."""
        return next((i for i, (value, _) in enumerate(self.options) if value == self.value), -1)

    def watch_value(self) -> None:
        self.post_message(self.Changed(self, self.value))

    def action_move(self, step: int) -> None:
        """The next option (1) or the one before (-1), round at the ends."""
        self.value = self.options[(self.index + step) % len(self.options)][0]

    # -- drawing ------------------------------------------------------------------------------------

    def get_content_width(self, container: Size, viewport: Size) -> int:
        return min(self._wide, container.width) if self._wide <= container.width else self._narrow

    @property
    def _wide(self) -> int:
        return sum(len(label) + 2 for _, label in self.options) + _GAP * (len(self.options) - 1)

    @property
    def _narrow(self) -> int:
        return max(len(label) for _, label in self.options) + 4

    def render(self) -> Content:
        focus = self.has_focus
        chosen = "bold $background on $primary" if focus else "bold $foreground"
        other = "$foreground 80%" if focus else "$foreground 50%"
        if self.size.width < self._wide:
            label = self.options[self.index][1] if self.index >= 0 else self.value
            return Content.assemble(("‹ ", other), (label, chosen), (" ›", other))
        parts: list[tuple[str, str]] = []
        for value, label in self.options:
            mine = value == self.value
            parts += [
                (" " * _GAP if parts else "", ""),
                (("● " if mine else "○ ") + label, chosen if mine else other),
            ]
        return Content.assemble(*parts)

    def on_click(self, event: events.Click) -> None:
        if self.size.width < self._wide:
            self.action_move(-1 if event.x < 2 else 1)
            return
        left = 0
        for value, label in self.options:
            if left <= event.x < left + len(label) + 2:
                self.value = value
            left += len(label) + 2 + _GAP
