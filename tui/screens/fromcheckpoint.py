"""What the forms that work on a checkpoint share: which one at the left, at the right what to do with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, OptionList, Static

from ddpm import averages, configfiles
from ddpm.config import Config
from ddpm.config_sampling import idle
from runs import humanize
from runs.rows import CheckpointRow, RunDetail, RunRow
from runs.text import printable
from tui import commands, solvers
from tui.screens.launching import LaunchScreen
from tui.widgets.config_edits import ConfigEdits
from tui.widgets.config_field import ConfigField

#: Asked for only where there is something to be guided by: classes, or an earlier step.
OF_GUIDANCE = frozenset({"sampling.guidance", "sampling.guidance_from", "sampling.guidance_to"})
#: Only where the network is told of classes.
OF_CLASSES = frozenset({"sampling.guidance_class", "sampling.labels"})
#: And only where an earlier step can guide.
OF_STEPS = frozenset({"sampling.guidance_step", "sampling.guidance_class"})


class CheckpointScreen(LaunchScreen):
    """Of one training run; `step` is a checkpoint (None: the latest).

    `like` are whole sections of a configuration to begin with (what they leave out is unset, or usual);
    else the run's own.
    """

    #: What is asked for, by key; the rest is as in the run's configuration.
    FIELDS: ClassVar[tuple[str, ...]]
    #: The screen's name in its first line, and what a checkpoint is for.
    TITLE: ClassVar[str]
    PURPOSE: ClassVar[str]

    def __init__(
        self, run: RunRow, step: int | None = None, like: Mapping[str, Mapping[str, Any]] | None = None
    ) -> None:
        super().__init__()
        self._run, self._step, self._like = run, step, like
        self._checkpoints: list[CheckpointRow] = []
        self._trained: Config | None = None
        self._edits: ConfigEdits | None = None

    def body(self) -> Iterable[Widget]:
        yield CheckpointBody(self.launch_button())

    def on_mount(self) -> None:
        self.headline(f"Runs › #{self._run.id} {self._run.name} › {self.TITLE}")
        self.query_one("#checkpoint-list", OptionList).focus()
        store, run_id = self.cockpit.store, self._run.id

        def read() -> tuple[RunDetail, Config]:
            detail = store.detail(run_id)
            return detail, configfiles.build(detail.config)

        self.background("begin", read, self._begin, failed=self._not_there)

    async def _begin(self, answer: tuple[RunDetail, Config]) -> None:
        detail, self._trained = answer
        like = self._beginning(self._trained)
        self._edits = ConfigEdits(configfiles.build({**self._trained.model_dump(), **like}), self._trained)
        self._checkpoints = list(reversed(detail.checkpoints))
        choices = self.query_one("#checkpoint-list", OptionList)
        choices.add_options([_checkpoint(c) for c in self._checkpoints])
        steps = [c.step for c in self._checkpoints]
        if self._step is None:
            choices.highlighted = 0 if steps else None
        elif self._step in steps:  # else it is gone, and another is not taken unasked
            choices.highlighted = steps.index(self._step)
        await self.query_one("#fields").mount_all(self._rows(self._edits))
        self._show()
        self.built()

    def _beginning(self, trained: Config) -> dict[str, dict[str, Any]]:
        """What the fields say at first, where that is not as in the run's configuration."""
        return {section: dict(values) for section, values in (self._like or {}).items()}

    def _rows(self, edits: ConfigEdits) -> list[ConfigField]:
        trained = self._trained
        assert trained is not None
        specs, left_out = dict(configfiles.fields()), self._not_asked(trained)
        drawn_by = tuple(solvers.solvers(trained))  # consistency takes a network of its own
        specs["sampling.sampler"] = replace(specs["sampling.sampler"], choices=drawn_by)
        return [ConfigField(specs[key], edits.texts[key]) for key in self.FIELDS if key not in left_out]

    def _not_asked(self, trained: Config) -> set[str]:
        """What is no choice of this training."""
        found = set[str]()
        by_step = trained.sampling.guidance_step is not None or len(self._checkpoints) > 1
        if not by_step:
            found |= OF_STEPS
        if not trained.model.classes:
            found |= OF_CLASSES
        if not (trained.model.classes or by_step):
            found |= OF_GUIDANCE
        if trained.objective == "consistency":
            found |= OF_GUIDANCE | OF_STEPS
        if not averages.kept(trained.training):
            found.add("sampling.average")  # there is but one
        return found

    # -- what is chosen -----------------------------------------------------------------------------

    def on_config_field_edited(self, event: ConfigField.Edited) -> None:
        self._edit(event.row.spec.key, event.row.text)

    def _edit(self, key: str, text: str) -> None:
        if self._edits is not None and self._edits.texts[key] != text:
            self._edits.set(key, text)
            self._show()

    @on(OptionList.OptionHighlighted, "#checkpoint-list")
    def _checkpoint_highlighted(self) -> None:
        self._show()

    @on(OptionList.OptionSelected, "#checkpoint-list")
    def _checkpoint_selected(self) -> None:
        self.query_one("#launch").focus()

    @property
    def _chosen(self) -> CheckpointRow | None:
        place = self.query_one("#checkpoint-list", OptionList).highlighted
        return self._checkpoints[place] if place is not None and self._checkpoints else None

    @property
    def _config(self) -> Config | None:
        """The run's configuration with what the fields say; None while something is wrong."""
        return self._edits.config if self._edits and not self._no_guide else None

    @property
    def _no_guide(self) -> str:
        """Why the chosen checkpoint cannot be guided as the fields say; "" where it can."""
        config, chosen = self._edits.config if self._edits else None, self._chosen
        if "sampling.guidance_step" not in self.FIELDS or config is None or chosen is None:
            return ""
        there = [c.step for c in self._checkpoints if c.step < chosen.step]
        if config.sampling.guide in (None, *there):
            return ""
        kept = ", ".join(f"{step:,}" for step in reversed(there)) or "none"
        return f"no such checkpoint before {chosen.step:,}; kept are {kept} (guidance 1 draws without)"

    # -- what will happen ---------------------------------------------------------------------------

    def _what(self, config: Config) -> Text:
        """In words what the settings come to."""
        raise NotImplementedError

    def _show(self) -> None:
        edits = self._edits
        if edits is None:
            return
        for row in self.query(ConfigField):
            self._show_field(row, edits)
        command = self._command()
        ink, line = self.cockpit.ink, Text(overflow="fold")
        if command is not None:
            line.append("$ ", style=ink.faint).append(printable(commands.shell(command)))
        elif not self._checkpoints:
            line.append(f"this run has no checkpoint {self.PURPOSE}", style=ink.warning)
        elif self._chosen is None:
            line.append(f"the checkpoint of step {self._step:,} is gone; choose another", style=ink.warning)
        self.query_one("#command", Static).update(line)
        self.query_one("#launch", Button).disabled = command is None
        self._show_what()
        self.keys_changed()

    def _show_field(self, row: ConfigField, edits: ConfigEdits) -> None:
        key, config = row.spec.key, edits.config
        without = idle(config.sampling, config.model.classes) if config is not None else {}
        note = f"the run's: {printable(edits.base_text(key))}"
        problem = edits.problems.get(key, "")
        if key == "sampling.guidance_step":
            problem = problem or self._no_guide
        row.show(edits.changed(key), note, problem, without.get(key.removeprefix("sampling."), ""))

    def _show_what(self) -> None:
        config = self._config
        self.query_one("#what", Static).update(self._what(config) if config is not None else Text())

    # -- keys ---------------------------------------------------------------------------------------

    def action_field(self, by: int) -> None:
        """The field above or below."""
        rows = [row for row in self.query(ConfigField) if row.display]
        here = next((i for i, row in enumerate(rows) if row.editor.has_focus), None)
        if rows:
            rows[0 if here is None else max(0, min(here + by, len(rows) - 1))].editor.focus()


class Fields(VerticalScroll, can_focus=False, inherit_bindings=False):
    """The settings; ↑ ↓ go from one to the next."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "screen.field(-1)", show=False),
        Binding("down,enter", "screen.field(1)", show=False),
    ]


class CheckpointBody(Horizontal):
    """Checkpoints at the left, settings at the right, below them what will happen."""

    def __init__(self, button: Button) -> None:
        super().__init__()
        self._button = button

    def compose(self) -> ComposeResult:
        with Vertical(id="choice"):
            yield Static("checkpoint", markup=False, classes="caption")
            yield OptionList(id="checkpoint-list", markup=False, compact=True)
        with Vertical(id="making"):
            yield Fields(id="fields")
            yield Static(id="what", markup=False)
            yield Static(id="command", markup=False)
            yield self._button


def _checkpoint(checkpoint: CheckpointRow) -> Content:
    seen = "" if checkpoint.images_seen is None else f"{humanize.count(checkpoint.images_seen)} images"
    return Content.assemble(f"{checkpoint.step:>9,}", (f"  {seen}", "dim"))
