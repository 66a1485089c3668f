"""Small questions that stand in front of a screen: yes or no, a run's name, which columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widgets import Button, Input, SelectionList, Static
from textual.widgets.selection_list import Selection

from runs.rows import RunDetail
from runs.text import printable


class Confirm(ModalScreen[bool]):
    """One question in the last lines of the screen; y or enter says yes, anything else no."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "answer(True)", "yes"),
        Binding("n,escape", "answer(False)", "no"),
    ]

    def __init__(self, question: str, yes: str, detail: str = "") -> None:
        super().__init__()
        self._question, self._yes, self._detail = printable(question), yes, printable(detail)

    def compose(self) -> ComposeResult:
        with Vertical(id="confirm"):
            yield Static(self._question, markup=False, id="question")
            if self._detail:
                yield Static(self._detail, markup=False, id="detail")
            with Horizontal(id="answers"):
                yield Button(Content(f"{self._yes}  y"), id="yes", compact=True)
                yield Button(Content("no  esc"), id="no", compact=True)

    def on_mount(self) -> None:
        self.query_one("#yes").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)


class EditRun(ModalScreen[tuple[str, list[str], str] | None]):
    """Name, tags and notes of a run; enter keeps them, esc leaves them as they were."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave"),
        Binding("ctrl+s", "save", "save", priority=True),
    ]

    def __init__(self, detail: RunDetail) -> None:
        super().__init__()
        self._detail = detail

    def compose(self) -> ComposeResult:
        with Vertical(id="edit", classes="dialog") as box:
            box.border_title = Content(f"Edit #{self._detail.row.id}")
            box.border_subtitle = Content("enter saves · esc leaves")
            for label, value in self._values():
                with Horizontal(classes="field"):
                    yield Static(label, markup=False, classes="label")
                    yield Input(printable(value), id=label, compact=True, select_on_focus=False)

    def _values(self) -> Sequence[tuple[str, str]]:
        row = self._detail.row
        return (("name", row.name), ("tags", " ".join(row.tags)), ("notes", self._detail.notes))

    def on_input_submitted(self) -> None:
        self.action_save()

    def action_save(self) -> None:
        name, tags, notes = (self.query_one(f"#{part}", Input).value for part in ("name", "tags", "notes"))
        self.dismiss((name.strip(), tags.replace(",", " ").split(), notes.strip()))

    def action_leave(self) -> None:
        self.dismiss(None)


class Switches(SelectionList[str]):
    """● on, ○ off: told apart without colour."""

    def render_line(self, y: int) -> Strip:
        drawn = super().render_line(y)
        place = self.scroll_offset.y + y
        if place >= self.option_count:
            return drawn
        mark = "●" if self.get_option_at_index(place).value in self.selected else "○"
        segments = list(drawn)
        box = [Segment(text, segments[1].style) for text in ("   ", mark)]  # in the place of ▐X▌
        return Strip([*box, *segments[4:]])


class ChooseColumns(ModalScreen[tuple[str, ...] | None]):
    """Which columns are shown; space changes one, enter or esc closes. The answer is those hidden."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,escape,v", "close", "close", priority=True)]

    def __init__(self, columns: Sequence[tuple[str, str]], hidden: Sequence[str]) -> None:
        super().__init__()
        self._columns, self._hidden = columns, hidden

    def compose(self) -> ComposeResult:
        with Vertical(id="columns", classes="dialog") as box:
            box.border_title = Content("Columns")
            box.border_subtitle = Content("space changes · esc closes")
            yield Switches(
                *(Selection(Text(title), key, key not in self._hidden) for key, title in self._columns),
                compact=True,
            )

    def action_close(self) -> None:
        shown = self.query_one(SelectionList).selected
        self.dismiss(tuple(key for key, _ in self._columns if key not in shown))
