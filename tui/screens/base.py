"""What all screens share: the two bars, work in the background, and what is shown when it fails."""

from __future__ import annotations

import logging
import threading
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from textual.app import ComposeResult
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget

from runs.text import printable
from tui.bars import KeyBar, Title, TopBar
from tui.keys import Key

if TYPE_CHECKING:
    from tui.app import DdpmApp

T = TypeVar("T")
#: Seconds that a notification of something expected stays.
BRIEF = 1.5
_log = logging.getLogger(__name__)


class Done(Message):
    """Work in the background came to its end; carries what is to be done with its result."""

    def __init__(self, group: str, ticket: int, then: Callable[[], Awaitable[None] | None]) -> None:
        super().__init__()
        self.group, self.ticket, self.then = group, ticket, then


class Background:
    """Work in threads for a widget or screen, its results handed over on the app's own thread.

    Of each group only the newest work counts: what an older one brings is dropped.
    """

    _tickets: dict[str, int]

    def background(
        self,
        group: str,
        work: Callable[[], T],
        then: Callable[[T], Awaitable[None] | None] | None = None,
        *,
        failed: Callable[[str], None] | None = None,
        slow: bool = False,
    ) -> None:
        """Runs `work` in a thread, then `then(result)` here. What fails is told in one line.

        `slow` work (a process started, a lock waited for) gets a thread of its own which nothing waits for
        when the app is left.
        """
        if not hasattr(self, "_tickets"):
            self._tickets = {}
        ticket = self._tickets[group] = self._tickets.get(group, 0) + 1
        node = cast(Widget, self)

        def run() -> None:
            try:
                value = work()
            except Exception as error:  # the boundary of every background work: told, never fatal
                _log.debug("background work %s failed", group, exc_info=True)
                line = one_line(error)
                node.post_message(Done(group, ticket, lambda: (failed or self._tell)(line)))
                return
            node.post_message(Done(group, ticket, lambda: then(value) if then else None))

        if slow:
            threading.Thread(target=run, name=group, daemon=True).start()
        else:
            node.run_worker(run, group=group, thread=True, exclusive=True, exit_on_error=False)

    async def on_done(self, message: Done) -> None:
        message.stop()
        if self._tickets.get(message.group) == message.ticket and cast(Widget, self).is_mounted:
            following = message.then()
            if following is not None:
                await following

    def _tell(self, line: str) -> None:
        cast(Widget, self).app.notify(line, severity="error", markup=False, timeout=8)


def one_line(error: BaseException) -> str:
    """An error as a person reads it."""
    from ddpm.errors import EngineError
    from runs.errors import RunError

    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    elif not isinstance(error, EngineError | RunError) and type(error).__name__ != "ConfigError":
        text = f"{type(error).__name__}: {text}"
    return printable(" · ".join(line for line in text.splitlines() if line.strip()) or type(error).__name__)


class Place(Background, Screen[None]):
    """A screen of the app: a place in the table of keys."""

    place: ClassVar[str]
    AUTO_FOCUS = None
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - as Textual declares it
        (0, "-narrow"),
        (110, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-low"),
        (32, "-high"),
    ]

    def compose(self) -> ComposeResult:
        # The classes of the size before the first style is computed, else all are computed twice.
        for breakpoints, cells in (
            (self.HORIZONTAL_BREAKPOINTS, self.app.size.width),
            (self.VERTICAL_BREAKPOINTS, self.app.size.height),
        ):
            self.add_class([name for least, name in breakpoints or () if cells >= least][-1])
        yield TopBar()
        yield from self.body()
        yield KeyBar()

    def body(self) -> Iterable[Widget]:
        """What stands between the bars."""
        raise NotImplementedError

    @property
    def cockpit(self) -> DdpmApp:
        return cast("DdpmApp", self.app)

    def headline(self, place: str, note: str = "") -> None:
        """What the first line says."""
        line = self.query_one(Title)
        line.where, line.note = place, note

    # -- data ---------------------------------------------------------------------------------------

    def refresh_data(self) -> None:
        """Called when the catalogue changed, and when the screen comes to the front."""

    def tick(self) -> None:
        """Called once a second while the screen is in front."""

    def on_screen_resume(self) -> None:
        if self.ready:
            self.refresh_data()

    @property
    def ready(self) -> bool:
        """Whether what stands between the bars is there."""
        return self.is_mounted and bool(self.query(KeyBar))

    # -- keys ---------------------------------------------------------------------------------------

    def offers(self, key: Key) -> bool:
        """Whether the action of a key makes sense now; else it is in neither footer nor palette."""
        return self.can(key.action.partition("(")[0])

    def can(self, action: str) -> bool:
        """Whether an action makes sense now."""
        return action != "back" or len(self.app.screen_stack) > 1

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self.can(action)

    def keys_changed(self) -> None:
        """Other actions make sense than before."""
        for bar in self.query(KeyBar):
            bar.refresh()

    def action_press(self, key: str) -> None:
        """A click on a key in the footer is the key."""
        self.app.simulate_key(key)

    def action_back(self) -> None:
        self.app.pop_screen()

    def say(self, line: str, severity: Any = "information") -> None:
        """A notification, shown literally."""
        timeout = BRIEF if severity == "information" else None
        self.app.notify(printable(line), severity=severity, markup=False, timeout=timeout)
