"""The app: themes, the poll that keeps every screen true, and what works everywhere."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import SystemCommand
from textual.binding import BindingType
from textual.message import Message
from textual.screen import Screen

from tui import keys, settings
from tui.inorder import InOrder
from tui.screens.base import Background, Place
from tui.store import Store
from tui.theme import DARK, LIGHT, THEMES, Ink

if TYPE_CHECKING:
    from runs.home import Home
    from runs.rows import RunRow

#: Seconds between two looks at the run directories.
POLL = 1.0


class DdpmApp(Background, InOrder):
    """The cockpit over one home."""

    TITLE = "ddpm-tui"
    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*keys.bindings(keys.EVERYWHERE)]
    COMMANDS: ClassVar[Any] = {lambda: _provider()}
    ENABLE_COMMAND_PALETTE = True

    class Changed(Message):
        """The catalogue changed."""

    def __init__(self, home: Home, *, theme: str | None = None) -> None:
        super().__init__()
        self.home = home
        self.store = Store(home)
        self.settings = settings.load(home.path)
        self._polling = False
        for own in THEMES.values():
            self.register_theme(own)
        self.theme = theme or (self.settings.theme if self.settings.theme in THEMES else DARK.name)

    @cached_property
    def home_option(self) -> tuple[str, ...]:
        """What the commands shown need to say of the home."""
        from tui import commands  # later than the first frame

        return commands.home_option(self.home.path)

    def get_default_screen(self) -> Screen[Any]:
        from tui.screens.runs import RunsScreen

        return RunsScreen(id="_default")

    def on_mount(self) -> None:
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        """After the first frame: SQLAlchemy is imported and the catalogue read in the background."""
        self.set_interval(POLL, self._poll)
        self._poll()

    # -- the poll -----------------------------------------------------------------------------------

    def _poll(self) -> None:
        """Syncs in a thread, one at a time, and lets the place in front read again when something changed."""
        front = self.front
        if front is not None and front.ready:
            front.tick()
        if not self._polling:
            self._polling = True
            self.background("poll", self.store.sync, self._polled, failed=self._poll_failed)

    def _polled(self, changed: bool) -> None:
        self._polling = False
        self._told = ""
        if not self._warm:
            self._warm = True
            self.background("warm", _import_screens, failed=self._tell)
        if changed and self.front is not None and self.front.ready:
            self.front.refresh_data()

    _told = ""
    _warm = False

    def _poll_failed(self, line: str) -> None:
        """Tells the same trouble once, not every second."""
        self._polling = False
        if line != self._told:
            self._told = line
            self._tell(line)

    def look_now(self) -> None:
        """Polls without waiting for the next second: something was just started, stopped or changed."""
        self._poll()

    @property
    def front(self) -> Place | None:
        """The place in front, below any dialog."""
        return next((s for s in reversed(self.screen_stack) if isinstance(s, Place)), None)

    @property
    def _background_screens(self) -> list[Screen[Any]]:
        """Textual takes the screen below for visible even under one that covers it all, and then paints all
        anew whenever something changes there."""
        covered = self.screen_stack and self.screen_stack[-1].styles.background.a == 1
        return [] if covered else super()._background_screens

    # -- settings -----------------------------------------------------------------------------------

    def remember(self, **changes: Any) -> None:
        """Changes settings and writes them down, in the background."""
        self.settings = replace(self.settings, **changes)
        now = self.settings
        self.background("settings", lambda: settings.save(self.home.path, now))

    @property
    def ink(self) -> Ink:
        return Ink.of(self.theme_variables)

    # -- everywhere ---------------------------------------------------------------------------------

    async def action_quit(self) -> None:
        self.exit()

    def action_theme(self) -> None:
        self.theme = LIGHT.name if self.theme == DARK.name else DARK.name
        self.remember(theme=self.theme)

    def action_help(self) -> None:
        from tui.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen) and self.front is not None:
            self.push_screen(HelpScreen(self.front.place))

    def open_run(self, run: RunRow) -> None:
        """Shows a run's own screen."""
        self.push_screen(_screen_of(run))

    def replace_by_run(self, run: RunRow) -> None:
        """The same in the place of the screen in front, which started the run."""
        self.switch_screen(_screen_of(run))

    def copy(self, text: str, what: str) -> None:
        """Puts text on the clipboard of the person's terminal (OSC 52) and shows it, as that may be off."""
        self.copy_to_clipboard(text)
        self.notify(text, title=f"{what} copied (OSC 52)", markup=False, timeout=8)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        return ()


_SCREENS = (
    "new", "run", "sampling", "evaluating", "sample", "evaluate", "leaderboard", "compare", "dialogs", "help",
    "restore", "restoring", "likelihood", "measuring", "live",
)  # fmt: skip
_PANES = (
    "charts", "samples", "evaluation", "scores", "checkpoints", "log", "config", "about", "denoising",
    "restoring", "likelihood",
)  # fmt: skip


def _import_screens() -> None:
    """Before they are asked for: the first opening of each is then as quick as any other."""
    for place in _SCREENS:
        importlib.import_module(f"tui.screens.{place}")
    for pane in _PANES:
        importlib.import_module(f"tui.panes.{pane}")
    importlib.import_module("tui.palette")


def _screen_of(run: RunRow) -> Place:
    if run.kind == "sample":
        from tui.screens.sampling import SamplingScreen

        return SamplingScreen(run)
    if run.kind == "evaluate":
        from tui.screens.evaluating import EvaluatingScreen

        return EvaluatingScreen(run)
    if run.kind == "restore":
        from tui.screens.restoring import RestoringScreen

        return RestoringScreen(run)
    if run.kind == "likelihood":
        from tui.screens.measuring import MeasuringScreen

        return MeasuringScreen(run)
    from tui.screens.run import RunScreen

    return RunScreen(run)


def _provider() -> Any:
    from tui.palette import Commands

    return Commands


def run(home: Home, *, theme: str | None = None) -> None:
    """Opens the app over a home; returns when it is left. RunError for a theme that does not exist."""
    if theme is not None and theme not in THEMES:
        from runs.errors import RunError

        raise RunError(f"theme {theme!r} does not exist; there are {', '.join(THEMES)}")
    app = DdpmApp(home, theme=theme)
    try:
        app.run()
    finally:
        app.store.close()
