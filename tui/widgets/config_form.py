"""The form of a configuration, made from its models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from ddpm.config import Config
from ddpm.configfiles import FieldSpec, fields, preset_names, resolve
from runs.text import printable, shorten
from tui.widgets.config_edits import ConfigEdits
from tui.widgets.config_field import ConfigField

#: Section -> its heading; what a training knows nothing of is asked for where it is done.
_HEADINGS = {s: s.capitalize() for s in Config.model_fields if s not in ("restoration", "likelihood")}
#: Sections that are there at once; the others follow after the first paint.
_FIRST = ("data", "model")


def asked() -> dict[str, FieldSpec]:
    """The values that the form asks for, by key."""
    return {key: spec for key, spec in fields().items() if key.partition(".")[0] in _HEADINGS}


class Fields(VerticalScroll, inherit_bindings=False):
    """The scrolled part; it leaves the keys to the form."""


class ConfigForm(Vertical):
    """Edits a configuration field by field, and says at the field what is wrong.

    `load` a configuration (at first it is a preset's); `config()` is what the form means now (None while
    something is wrong), `changes()` the settings that differ from the preset, `problems()` what is wrong by
    field. ↑ ↓ (or tab, enter) go from field to field, ← → choose among values, page up and down go from
    section to section, ctrl+r puts the preset's value back, / filters fields by name and description
    ("changed": those that differ).
    """

    DEFAULT_CSS = """
    ConfigForm {
        width: 1fr;
        height: 1fr;
        & > #form-filter { margin-bottom: 1; }
        & > #form-fields { height: 1fr; scrollbar-size-vertical: 1; }
        & .form-heading { height: 1; color: $primary; text-style: bold; margin-top: 1; }
        & .form-heading.-first { margin-top: 0; }
        & #form-nothing { display: none; color: $foreground 60%; }
        & > #form-help { height: 3; border-top: solid $foreground 20%; color: $foreground 80%; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Field above", show=False),
        Binding("down,enter", "move(1)", "Field below", show=False),
        Binding("pageup", "section(-1)", "Section above", show=False),
        Binding("pagedown", "section(1)", "Section below", show=False),
        Binding("slash", "filter", "Filter fields", show=False),
        Binding("ctrl+r", "restore", "Preset's value", show=False),
    ]

    class Changed(Message):
        """A value changed, by a person or by `load`; `config` is None while something is wrong."""

        def __init__(self, form: ConfigForm, config: Config | None) -> None:
            super().__init__()
            self.form = form
            self.config = config

        @property
        def control(self) -> ConfigForm:
            return self.form

    class Completed(Message):
        """All fields are there."""

    def __init__(
        self,
        config: Config | None = None,
        base: Config | None = None,
        *,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - as Textual names it
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._edits = ConfigEdits(config or resolve(preset_names()[0])[0], base)
        self._rows: dict[str, ConfigField] = {}
        self._headings: dict[str, Static] = {}
        self._wanted: str | None = None  #: field to focus once it is there
        self.complete = False  #: whether all fields are there

    def compose(self) -> ComposeResult:
        self._rows = {key: ConfigField(spec, self._edits.texts[key]) for key, spec in asked().items()}
        yield Input(placeholder="/ filter settings", compact=True, id="form-filter")
        with Fields(id="form-fields", can_focus=False):
            yield from self._parts(*_FIRST)
            yield Static("no setting has that in its name or description", id="form-nothing")
        yield Static(id="form-help", markup=False)

    def _parts(self, *sections: str) -> Iterator[Widget]:
        """The headings and rows of these sections."""
        for section in sections:
            self._headings[section] = Static(_HEADINGS[section], classes="form-heading")
            yield self._headings[section]
            yield from (row for key, row in self._rows.items() if key.partition(".")[0] == section)

    def on_mount(self) -> None:
        self._show()
        self._narrow("")
        self.call_after_refresh(self._mount_rest)

    async def _mount_rest(self) -> None:
        """The sections below the first ones: they are out of sight, and the form opens sooner without."""
        rest = [section for section in _HEADINGS if section not in _FIRST]
        await self.query_one("#form-fields").mount(*self._parts(*rest), before="#form-nothing")
        self._narrow(self.query_one("#form-filter", Input).value)
        if self._wanted is not None:
            self.focus_field(self._wanted)
        self.complete = True
        self.post_message(self.Completed())

    # -- data ---------------------------------------------------------------------------------------

    def load(self, config: Config, base: Config | None = None) -> None:
        """Show these values; changes are counted from `base` (the preset), or from them."""
        self._edits = ConfigEdits(config, base)
        for key, row in self._rows.items():
            row.put(self._edits.texts[key])
        self._show()
        self.post_message(self.Changed(self, self._edits.config))

    def config(self) -> Config | None:
        """What the form means; None while something is wrong."""
        return self._edits.config

    def changes(self) -> list[str]:
        """["training.steps=2000", …]: as few settings as make this of the preset."""
        return self._edits.changes()

    def problems(self) -> dict[str, str]:
        """What is wrong, in one line each, by the key of its field."""
        return self._edits.problems

    def set_value(self, key: str, text: str) -> None:
        """Put a text into a field, as if it was typed. KeyError for an unknown key."""
        self._edit(key, text)
        if key in self._rows:
            self._rows[key].put(text)

    def focus_field(self, key: str | None = None) -> None:
        """Go to a field; without a key to the first one with a problem, else to the first one."""
        key = key or next(iter(self.problems()), None) or next(iter(fields()))
        row = self._rows.get(key)
        if row is None or not row.is_attached:  # it comes after the first paint
            self._wanted = key
            return
        self._wanted = None
        if not self._rows[key].display:
            self.query_one("#form-filter", Input).value = ""
            self._narrow("")
        self._rows[key].editor.focus()

    @property
    def field(self) -> FieldSpec | None:
        """The field that has the focus."""
        row = self._focused()
        return row.spec if row else None

    # -- editing ------------------------------------------------------------------------------------

    def on_config_field_edited(self, message: ConfigField.Edited) -> None:
        message.stop()
        self._edit(message.row.spec.key, message.row.text)

    def _edit(self, key: str, text: str) -> None:
        if self._edits.texts[key] == text:
            return
        self._edits.set(key, text)
        self._show()
        self.post_message(self.Changed(self, self._edits.config))

    def _show(self) -> None:
        """Bring every row up to date."""
        if not self._rows:
            return
        edits = self._edits
        for key, row in self._rows.items():
            note = f"preset: {printable(edits.base_text(key))}"
            row.show(edits.changed(key), note, edits.problems.get(key, ""))
        self._help()

    def action_restore(self) -> None:
        """The preset's value for the field that has the focus."""
        if row := self._focused():
            text = self._edits.base_text(row.spec.key)
            self.set_value(row.spec.key, "" if text == "unset" else text)

    # -- going about --------------------------------------------------------------------------------

    def _focused(self) -> ConfigField | None:
        return next((row for row in self._rows.values() if row.editor.has_focus), None)

    def _go(self, rows: list[ConfigField], step: int) -> None:
        here = self._focused()
        if not rows:
            return
        if here is None or here not in rows:
            rows[0 if step > 0 else -1].editor.focus()
            return
        place = rows.index(here) + step
        if place < 0:
            self.action_filter()
        else:
            rows[min(place, len(rows) - 1)].editor.focus()

    def action_move(self, step: int) -> None:
        """To the next field (1) or the one before (-1); above the first is the filter."""
        self._go([row for row in self._rows.values() if row.display and row.is_attached], step)

    def action_section(self, step: int) -> None:
        """To the first field of the next section (1), or of this one and then of the one before (-1)."""
        firsts: dict[str, ConfigField] = {}
        for row in self._rows.values():
            if row.display and row.is_attached:
                firsts.setdefault(row.spec.key.partition(".")[0], row)
        here = self._focused()
        section = here.spec.key.partition(".")[0] if here else ""
        if here is None or (step < 0 and here is not firsts[section]):
            target = firsts.get(section) or next(iter(firsts.values()), None)
            if target is not None:
                target.editor.focus()
            return
        self._go(list(firsts.values()), step) if here in firsts.values() else self._after(firsts, section)

    def _after(self, firsts: dict[str, ConfigField], section: str) -> None:
        names = list(firsts)
        firsts[names[min(names.index(section) + 1, len(names) - 1)]].editor.focus()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self.action_move(1)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self._help()

    def _help(self) -> None:
        """Below the fields: what the focused one means and what it may be."""
        spec = self.field
        text = Text(no_wrap=True, overflow="ellipsis")
        if spec is None:
            count, wrong = len(self.changes()), len(self.problems())
            text.append(f"{count} changed" if count else "as in the preset")
            if wrong:
                text.append(f" · {wrong} to put right: {', '.join(self.problems())}")
        else:
            text.append(f"{spec.key}  ", "bold").append(f"{spec.description}\n")
            limits = f"preset: {printable(self._edits.base_text(spec.key))} · {_brief(spec.allowed)}"
            text.append(shorten(limits, max(20, self.size.width)))
        self.query_one("#form-help", Static).update(text, layout=False)

    # -- filter -------------------------------------------------------------------------------------

    def action_filter(self) -> None:
        """Ask which fields to show."""
        self.query_one("#form-filter", Input).focus()

    def on_input_changed(self, message: Input.Changed) -> None:
        message.stop()
        if message.input.id == "form-filter":
            self._narrow(message.value)

    def _narrow(self, words: str) -> None:
        """Show the fields that have every word in key or description; "changed" those that differ."""
        wanted = words.lower().lstrip("/").split()
        shown = set()
        for key, row in self._rows.items():
            about = f"{key} {row.spec.description}".lower() + (" changed" if self._edits.changed(key) else "")
            row.display = all(word in about for word in wanted)
            if row.display:
                shown.add(key.partition(".")[0])
        first = next((section for section in _HEADINGS if section in shown), None)
        for section, heading in self._headings.items():
            heading.display = section in shown
            heading.set_class(section == first, "-first")
        self.query_one("#form-nothing").display = not shown


def _brief(allowed: str) -> str:
    """ "whole number, 1 to 64" of "a whole number, at least 1, at most 64"."""
    return re.sub(r"at least (\S+), at most (\S+)", r"\1 to \2", allowed.removeprefix("a "))
