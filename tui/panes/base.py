"""What the panes of a run's screen have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.containers import Vertical

from runs.rows import RunDetail
from tui.screens.base import Background
from tui.theme import Ink

if TYPE_CHECKING:
    from tui.app import DdpmApp


class Pane(Background, Vertical):
    """A part of a run's screen; shows what it is handed, and reads more in the background."""

    #: Actions of the screen's keys that this pane does.
    ACTS: frozenset[str] = frozenset()

    def can(self, action: str) -> bool:
        """Whether one of its actions makes sense now."""
        return action in self.ACTS

    def show(self, detail: RunDetail) -> None:
        """The run as it is now: called when the pane comes to the front and when the run changed."""
        raise NotImplementedError

    def enter(self) -> None:
        """Called when the pane came to the front: takes the focus where that helps."""

    def step(self) -> int | None:
        """The checkpoint under its cursor, if it has any."""
        return None

    @property
    def cockpit(self) -> DdpmApp:
        return cast("DdpmApp", self.app)

    @property
    def ink(self) -> Ink:
        return Ink.of(self.app.theme_variables)
