"""A new run: what it starts from, its configuration, the command that does the same, launch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Button, Input, OptionList, Select, Static

from ddpm.config import Config
from runs import humanize
from runs.errors import RunError
from runs.rows import RunRow
from runs.text import printable
from tui import commands, keys, sources
from tui.screens.launching import LaunchScreen
from tui.sources import Source
from tui.widgets.config_form import ConfigForm

if TYPE_CHECKING:
    from runs.directory import RunDirectory

#: Seconds after a change before the launch is checked for what may go wrong.
SETTLE = 0.5


class NewScreen(LaunchScreen):
    """Also a clone with changes, and a run that begins with its weights (`start`: a step of `clone`)."""

    place = "new"
    BINDINGS: ClassVar[list[BindingType]] = [*keys.bindings("new")]
    LAUNCH = Content("Launch  ^l")

    def __init__(self, clone: RunRow | None = None, start: int | None = None) -> None:
        super().__init__()
        self._clone, self._start = clone, start
        self._sources: list[Source] = []
        self._source: Source | None = None
        self._settle: Timer | None = None

    def body(self) -> Iterable[Widget]:
        yield NewBody()

    def on_mount(self) -> None:
        self.headline("Runs › New run", self._note())
        self.query_one(OptionList).focus()
        self.call_after_refresh(self._read)  # so that the key's effect is seen at once

    async def _read(self) -> None:
        await self.query_one("#making").mount_all((*_making(), self.launch_button()))
        clone = self._clone
        self.background(
            "sources",
            lambda: ([sources.clone(clone)] if clone else []) + sources.presets(),
            self._show_sources,
            failed=self._not_there,
        )
        self.background("devices", _devices, self._show_devices, slow=True)

    def _note(self) -> str:
        if self._clone is None:
            return ""
        name = f"#{self._clone.id} {self._clone.name}"
        return (
            f"changes of {name}"
            if self._start is None
            else f"begins with the weights of {name}@{self._start}"
        )

    # -- what to start from -------------------------------------------------------------------------

    async def _show_sources(self, found: list[Source]) -> None:
        self._sources = found
        first = found[0]
        await self.query_one("#making").mount(ConfigForm(first.config, first.base), before="#command")
        choices = self.query_one("#sources", OptionList)
        choices.clear_options()
        choices.add_options([Content(printable(source.title)) for source in found])
        choices.highlighted = 0

    @on(OptionList.OptionHighlighted, "#sources")
    def _source_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        source = self._sources[event.option_index]
        if source is self._source:
            return
        self._source = source
        self.query_one("#summary", Static).update(Text(printable(source.summary, newlines=True)))
        if source.tags:
            self.query_one("#tags", Input).value = printable(" ".join(source.tags))
        self.query_one("#name", Input).placeholder = f"unset: {source.preset or 'run'}-1, -2, …"
        self.query_one(ConfigForm).load(source.config, source.base)
        devices = self.query_one("#device", Select)
        if source.device in _values(devices):
            devices.value = source.device
        self._perhaps_built()

    @on(ConfigForm.Completed)
    def _perhaps_built(self) -> None:
        """Once all fields are there, and what the first source says is in them."""
        if self._source is not None and self.query_one(ConfigForm).complete:
            self.built()

    @on(OptionList.OptionSelected, "#sources")
    def _source_selected(self) -> None:
        self.query_one("#launch").focus()

    def _show_devices(self, found: list[tuple[str, str]]) -> None:
        devices = self.query_one("#device", Select)
        chosen = devices.value
        devices.set_options([_AUTO, *((Content(printable(title)), name) for title, name in found)])
        devices.value = chosen
        if self._source is not None and self._source.device in _values(devices):
            devices.value = self._source.device

    # -- what will happen ---------------------------------------------------------------------------

    def _config(self) -> Config | None:
        form = self.query(ConfigForm)
        return form.first().config() if form else None

    @property
    def _device(self) -> str:
        return str(self.query_one("#device", Select).value)

    @property
    def _after(self) -> str:
        """What the run is to wait for, as it is typed."""
        return self.query_one("#after", Input).value.strip()

    def _begun(self) -> str:
        return "waits for its turn" if self._after else super()._begun()

    def _identity(self) -> tuple[str, list[str]]:
        name = self.query_one("#name", Input).value.strip()
        return name, self.query_one("#tags", Input).value.replace(",", " ").split()

    def _command(self) -> tuple[str, ...] | None:
        config, source = self._config(), self._source
        if config is None or source is None:
            return None
        name, tags = self._identity()
        after = self._after
        begin = f"{self._clone.id}@{self._start}" if self._clone and self._start is not None else ""
        return commands.train(
            source.word,
            source.base,
            config,
            name=name,
            tags=tags,
            device=self._device,
            start=begin,
            after=after,
            home=self.cockpit.home_option,
        )

    @on(ConfigForm.Changed)
    @on(Input.Changed)
    @on(Select.Changed)
    def _changed(self) -> None:
        if not self.query(ConfigForm):
            return
        command = self._command()
        problems = self.query_one(ConfigForm).problems()
        line = Text(no_wrap=False, overflow="fold")
        if command is not None:
            line.append("$ ", style=self.cockpit.ink.faint).append(printable(commands.shell(command)))
        elif problems:
            line.append("; ".join(problems.values()), style=self.cockpit.ink.error)
        self.query_one("#command", Static).update(line)
        self.query_one("#launch", Button).disabled = command is None
        if self._settle is not None:
            self._settle.stop()
        self._settle = self.set_timer(SETTLE, self._check)
        self.keys_changed()

    def _check(self) -> None:
        """Looks in the background whether device and disk will do."""
        config, device, home = self._config(), self._device, self.cockpit.home
        after, store = self._after, self.cockpit.store
        if config is None:
            return

        def warnings() -> list[str]:
            from runs import preflight

            if not after:
                return preflight.warnings(home, config, device)
            try:
                awaited = store.live(after)
            except RunError as error:
                return [str(error)]
            ended = [] if awaited else [f"{after} has ended already; this begins at once"]
            return [*ended, *preflight.warnings(home, config, device, after=awaited)]

        self.background("warnings", warnings, self._show_warnings, failed=lambda _: None, slow=True)

    def _show_warnings(self, lines: list[str]) -> None:
        text = Text("\n".join(f"! {printable(line)}" for line in lines), style=self.cockpit.ink.warning)
        self.query_one("#warnings", Static).update(text)
        self.query_one("#warnings").display = bool(lines)

    # -- keys ---------------------------------------------------------------------------------------

    def action_filter(self) -> None:
        """To the line that narrows the settings, wherever one is."""
        for form in self.query(ConfigForm):
            form.action_filter()

    def _maker(self, command: tuple[str, ...]) -> Callable[[], RunDirectory]:
        config, source, device = self._config(), self._source, self._device
        assert config is not None
        assert source is not None
        home, (name, tags) = self.cockpit.home, self._identity()
        clone, start, after = self._clone, self._start, self._after
        store = self.cockpit.store

        def make() -> RunDirectory:
            from runs.directory import RunDirectory
            from runs.launch import new_training

            awaited = store.live(after) if after else None
            begin = (RunDirectory(Path(clone.path)), start) if clone and start is not None else None
            return new_training(
                home,
                config,
                preset=source.preset,
                name=name or None,
                tags=tags,
                device=device,
                start=begin,
                after=awaited,
                command=command,
            )

        return make


_AUTO: tuple[Any, str] = (Content("auto, the best there is"), "auto")


class NewBody(Horizontal):
    """What to start from at the left, the configuration at the right, below it what will happen."""

    def compose(self) -> ComposeResult:
        with Vertical(id="choice"):
            yield Static("preset, then enter", markup=False, classes="caption")
            yield OptionList(id="sources", markup=False, compact=True)
            yield Static(id="summary", markup=False)
        yield Vertical(id="making")


def _making() -> Iterable[Widget]:
    """What stands in the right part around the form, which comes before the command."""
    device: Select[Any] = Select([_AUTO], value="auto", allow_blank=False, id="device", compact=True)
    for label, editor in (
        ("name", Input(id="name", compact=True, max_length=100)),
        ("tags", Input(id="tags", compact=True, placeholder="separated by spaces")),
        ("device", device),
        ("after", Input(id="after", compact=True, placeholder="unset: at once; or a run to wait for")),
    ):
        yield Horizontal(Static(label, markup=False, classes="label"), editor, classes="line")
    yield Static(id="command", markup=False)
    yield Static(id="warnings", markup=False)


def _devices() -> list[tuple[str, str]]:
    """(title, name) of each device."""
    from runs import preflight

    found = []
    for device in preflight.devices():
        free = device.get("memory_free")
        title = f"{device['name']}, {device['title']}" if device.get("title") else str(device["name"])
        found.append((title + (f", {humanize.bytes_text(free)} free" if free else ""), str(device["name"])))
    return found


def _values(select: Select[Any]) -> set[Any]:
    return {value for _, value in select._options}
