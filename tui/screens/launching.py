"""What the forms that start a run share: the command that does the same, launching, and what then happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.content import Content
from textual.widgets import Button

from runs.rows import RunRow
from tui import commands
from tui.inorder import Built
from tui.screens.base import Place

if TYPE_CHECKING:
    from runs.directory import RunDirectory


class LaunchScreen(Built, Place):
    """A form with a button `#launch` (see `launch_button`); what it launches is what its command says.

    A key launches nothing that was typed before the form was there.
    """

    #: What stands on the button.
    LAUNCH: ClassVar[Content]
    _launching = False

    def _command(self) -> tuple[str, ...] | None:
        """The command that does the same as the form; None while it cannot be launched."""
        raise NotImplementedError

    def _maker(self, command: tuple[str, ...]) -> Callable[[], RunDirectory]:
        """What creates and starts the run of the form as it is now; called in a thread of its own."""
        raise NotImplementedError

    def launch_button(self) -> Button:
        return Button(self.LAUNCH, id="launch", compact=True)

    def _not_there(self, line: str) -> None:
        """What the form is made of could not be read."""
        self.say(line, "error")
        self.built()

    # -- keys ---------------------------------------------------------------------------------------

    def can(self, action: str) -> bool:
        if action in ("launch", "copy_command"):
            return self.ready and self._command() is not None
        return super().can(action)

    @on(Button.Pressed, "#launch")
    def action_launch(self) -> None:
        command = self._command()
        if command is None or self._launching or self.blind:
            return
        self._launching = True
        self.query_one("#launch", Button).label = "launching …"
        make, store = self._maker(command), self.cockpit.store

        def launch() -> RunRow:
            run = make()
            store.sync()
            return store.catalogue.find(str(run.id))

        self.background("launch", launch, self._launched, failed=self._not_launched, slow=True)

    def _launched(self, run: RunRow) -> None:
        self.say(f"{run.name} {self._begun()}; it goes on when you leave")
        if self.is_current:
            self.cockpit.replace_by_run(run)

    def _begun(self) -> str:
        return "started"

    def _not_launched(self, line: str) -> None:
        self._launching = False
        self.query_one("#launch", Button).label = self.LAUNCH
        self.say(line, "error")

    def action_copy_command(self) -> None:
        command = self._command()
        if command is not None:
            self.cockpit.copy(commands.shell(command), "Command")
