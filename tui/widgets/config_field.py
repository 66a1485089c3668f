"""One field of the configuration form: its name, its editor, what it was, and what is wrong."""

from __future__ import annotations

import textwrap

from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input

from ddpm.configfiles import FieldSpec
from ddpm.configvalues import LABELS
from runs.text import printable, shorten, width
from tui.widgets.choice import Choice
from tui.widgets.log_lines import wrapped

LABEL_WIDTH = 20


class FieldInput(Input):
    """An input of one line. (`compact` would style each of the many twice more while the form opens.)"""

    DEFAULT_CSS = """
    FieldInput, FieldInput:focus { border: none; height: 1; padding: 0; }
    """


class ConfigField(Widget):
    """A row: • name, editor, "preset: 128"; below it, when there is one, the problem."""

    DEFAULT_CSS = """
    ConfigField {
        height: 1;
        layout: horizontal;
        & > Input { width: 18; }
        & > Input.-text { width: 1fr; }
        & > .editor { margin-left: 20; }
    }
    ConfigField:focus-within { background: $foreground 6%; }
    """

    changed: reactive[bool] = reactive(False)
    problem: reactive[str] = reactive("")

    class Edited(Message):
        """The text of a field is another: `ConfigField.text` as it is by now, as more may follow."""

        def __init__(self, row: ConfigField) -> None:
            super().__init__()
            self.row = row

    def __init__(self, spec: FieldSpec, text: str) -> None:
        super().__init__()
        self.spec = spec
        self._note = self._idle = ""
        self.editor = self._make_editor(spec, text)

    def _make_editor(self, spec: FieldSpec, text: str) -> Input | Choice:
        if spec.kind == "bool":
            return Choice([("true", "on"), ("false", "off")], text, classes="editor")
        if spec.kind == "choice":
            options = [("", "unset")] if spec.optional else []
            return Choice([*options, *((c, c) for c in spec.choices)], text, classes="editor")
        kind = "editor -text" if spec.kind == "text" else "editor"
        placeholder = "unset" if spec.optional else "all" if spec.key == LABELS else ""
        return FieldInput(text, placeholder=placeholder, select_on_focus=False, classes=kind)

    def compose(self) -> ComposeResult:
        yield self.editor

    @property
    def text(self) -> str:
        """What stands in the editor."""
        return self.editor.value

    def put(self, text: str) -> None:
        """Another text, in place of what stands in the editor."""
        if self.editor.value != text:
            self.editor.value = text

    def show(self, changed: bool, note: str, problem: str, idle: str = "") -> None:
        """Whether its text differs from the preset, what the preset says, what is wrong, and why it does
        nothing as the others are. The text is the person's who types it, and not touched."""
        told = (note, idle, changed)
        if told != (self._note, self._idle, self.changed):
            self._note, self._idle, self.changed = told
            self._fit()
        self.problem = problem

    def on_input_changed(self, message: Input.Changed) -> None:
        message.stop()
        self.post_message(self.Edited(self))

    def on_choice_changed(self, message: Choice.Changed) -> None:
        message.stop()
        self.post_message(self.Edited(self))

    # -- drawing ------------------------------------------------------------------------------------

    def watch_problem(self) -> None:
        self._fit()

    def on_resize(self) -> None:
        self._fit()

    def _fit(self) -> None:
        self.styles.height = 1 + len(self._rows_below()[0])
        self.refresh()

    def _rows_below(self) -> tuple[list[str], str]:
        """(what is wrong; or why a value that was changed does nothing where that has no room beside it, its
        colour)."""
        room = max(self.size.width - LABEL_WIDTH, 20)
        if self.problem:
            return by_words("✕ " + printable(self.problem), room), "$error"
        if self.changed and not self._beside(self._idle):
            return by_words(self._idle, room), "$foreground 50%"
        return [], ""

    def _beside(self, note: str) -> bool:
        """Whether there is room for it at the right of the editor."""
        return width(note) <= self.size.width - LABEL_WIDTH - self.editor.size.width - 2

    def render(self) -> Content:
        """What stands around the editor, which lies above it."""
        name = self.spec.key.partition(".")[2]
        label = shorten(("• " if self.changed else "  ") + name, LABEL_WIDTH - 1).ljust(LABEL_WIDTH)
        usual = "bold $accent" if self.changed else "$foreground 80%"
        parts = [(label, "$foreground 50%" if self._idle else usual)]
        before = self.editor.size.width + 2
        note = self._idle or (self._note if self.changed else "")
        if self._beside(note):
            parts += [(" " * before, ""), (note, "$foreground 50%")]
        rows, colour = self._rows_below()
        parts += [("\n" + " " * LABEL_WIDTH + row, colour) for row in rows]
        return Content.assemble(*parts)


def by_words(text: str, room: int) -> list[str]:
    """Rows of at most `room` cells, broken between words where they have room."""
    lines = textwrap.wrap(text, room, break_on_hyphens=False)
    return [part for line in lines for part in wrapped(line, room)]  # of wide characters fewer fit
