"""Draw images: which checkpoint, which sampler, how many steps and images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, OptionList, Static

from ddpm import configfiles
from ddpm.config import Config, SamplingConfig
from runs import humanize
from runs.rows import CheckpointRow, RunDetail, RunRow
from runs.text import printable
from tui import commands, keys
from tui.screens.base import Place
from tui.widgets.config_edits import ConfigEdits
from tui.widgets.config_field import ConfigField

#: What is asked for; the rest of [sampling] is as in the run's configuration.
FIELDS = ("sampler", "steps", "eta", "spacing", "count", "seed")


class SampleScreen(Place):
    """Of one training run; `step` is a checkpoint (None: the latest), `like` settings to begin with."""

    place = "sample"
    BINDINGS: ClassVar[list[BindingType]] = [*keys.bindings("sample")]

    def __init__(self, run: RunRow, step: int | None = None, like: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self._run, self._step, self._like = run, step, like
        self._checkpoints: list[CheckpointRow] = []
        self._trained: Config | None = None
        self._edits: ConfigEdits | None = None
        self._launching = False

    def body(self) -> Iterable[Widget]:
        yield SampleBody()

    def on_mount(self) -> None:
        self.headline(f"Runs › #{self._run.id} {self._run.name} › Sample")
        self.query_one("#checkpoint-list", OptionList).focus()
        store, run_id = self.cockpit.store, self._run.id

        def read() -> tuple[RunDetail, Config]:
            detail = store.detail(run_id)
            return detail, configfiles.build(detail.config)

        self.background("sampling", read, self._begin)

    async def _begin(self, answer: tuple[RunDetail, Config]) -> None:
        detail, self._trained = answer
        config = self._trained
        if self._like is not None:
            config = configfiles.build({**config.model_dump(), "sampling": dict(self._like)})
        self._edits = ConfigEdits(config, self._trained)
        self._checkpoints = list(reversed(detail.checkpoints))
        choices = self.query_one("#checkpoint-list", OptionList)
        choices.add_options([_checkpoint(c) for c in self._checkpoints])
        steps = [c.step for c in self._checkpoints]
        if self._step is None:
            choices.highlighted = 0 if steps else None
        elif self._step in steps:  # else it is gone, and another is not taken unasked
            choices.highlighted = steps.index(self._step)
        specs = configfiles.fields()
        await self.query_one("#sampling").mount_all(
            ConfigField(specs[f"sampling.{name}"], self._edits.texts[f"sampling.{name}"]) for name in FIELDS
        )
        self._show()

    # -- what will happen ---------------------------------------------------------------------------

    def on_config_field_edited(self, event: ConfigField.Edited) -> None:
        if self._edits is not None and self._edits.texts[event.key] != event.text:
            self._edits.set(event.key, event.text)
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

    def _sampling(self) -> SamplingConfig | None:
        config = self._edits.config if self._edits else None
        return config.sampling if config else None

    def _command(self) -> tuple[str, ...] | None:
        sampling, checkpoint = self._sampling(), self._chosen
        if sampling is None or checkpoint is None or self._trained is None:
            return None
        return commands.sample(
            str(self._run.id),
            checkpoint.step,
            sampling,
            self._trained.sampling,
            home=self.cockpit.home_option,
        )

    def _show(self) -> None:
        edits = self._edits
        if edits is None:
            return
        for row in self.query(ConfigField):
            key = row.spec.key
            note = f"the run's: {printable(edits.base_text(key))}"
            row.show(edits.texts[key], edits.changed(key), note, edits.problems.get(key, ""))
        command = self._command()
        ink, line = self.cockpit.ink, Text(overflow="fold")
        if command is not None:
            line.append("$ ", style=ink.faint).append(commands.shell(command))
        elif not self._checkpoints:
            line.append("this run has no checkpoint to draw with", style=ink.warning)
        elif self._chosen is None:
            line.append(f"the checkpoint of step {self._step:,} is gone; choose another", style=ink.warning)
        self.query_one("#command", Static).update(line)
        self.query_one("#launch", Button).disabled = command is None
        self.query_one("#what", Static).update(self._what())
        self.keys_changed()

    def _what(self) -> Text:
        """In words what the settings come to."""
        sampling, ink = self._sampling(), self.cockpit.ink
        if sampling is None or self._trained is None:
            return Text()
        steps = sampling.resolved_steps(self._trained.diffusion.timesteps)
        kind = "ancestral sampling" if sampling.sampler == "ddpm" else "DDIM"
        words = f"{sampling.count:,} images by {kind}, {steps:,} evaluations of the network each."
        return Text(words, style=ink.dim)

    # -- keys ---------------------------------------------------------------------------------------

    def can(self, action: str) -> bool:
        if action in ("launch", "copy_command"):
            return self.ready and self._command() is not None
        return super().can(action)

    def action_field(self, by: int) -> None:
        """The field above or below."""
        rows = list(self.query(ConfigField))
        here = next((i for i, row in enumerate(rows) if row.editor.has_focus), None)
        if rows:
            rows[0 if here is None else max(0, min(here + by, len(rows) - 1))].editor.focus()

    @on(Button.Pressed, "#launch")
    def action_launch(self) -> None:
        command, sampling, checkpoint = self._command(), self._sampling(), self._chosen
        if command is None or sampling is None or checkpoint is None or self._launching:
            return
        self._launching = True
        self.query_one("#launch", Button).label = "launching …"
        home, store, run = self.cockpit.home, self.cockpit.store, self._run

        def launch() -> RunRow:
            from runs.directory import RunDirectory
            from runs.launch import new_sampling

            parent = RunDirectory(Path(run.path))
            made = new_sampling(home, parent, checkpoint.step, sampling, command=command)
            store.sync()
            return store.catalogue.find(str(made.id))

        self.background("launch", launch, self._launched, failed=self._not_launched, slow=True)

    def _launched(self, run: RunRow) -> None:
        if self.is_current:
            self.cockpit.replace_by_run(run)

    def _not_launched(self, line: str) -> None:
        self._launching = False
        self.query_one("#launch", Button).label = _LAUNCH
        self.say(line, "error")

    def action_copy_command(self) -> None:
        command = self._command()
        if command is not None:
            self.cockpit.copy(commands.shell(command), "Command")


_LAUNCH = Content("Draw them  ^l")


class SamplingFields(VerticalScroll, can_focus=False, inherit_bindings=False):
    """The settings; ↑ ↓ go from one to the next."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "screen.field(-1)", show=False),
        Binding("down,enter", "screen.field(1)", show=False),
    ]


class SampleBody(Horizontal):
    """Checkpoints at the left, settings at the right, below them what will happen."""

    def compose(self) -> ComposeResult:
        with Vertical(id="choice"):
            yield Static("checkpoint", markup=False, classes="caption")
            yield OptionList(id="checkpoint-list", markup=False, compact=True)
        with Vertical(id="making"):
            yield SamplingFields(id="sampling")
            yield Static(id="what", markup=False)
            yield Static(id="command", markup=False)
            yield Button(_LAUNCH, id="launch", compact=True)


def _checkpoint(checkpoint: CheckpointRow) -> Content:
    seen = "" if checkpoint.images_seen is None else f"{humanize.count(checkpoint.images_seen)} images"
    return Content.assemble(f"{checkpoint.step:>9,}", (f"  {seen}", "dim"))
