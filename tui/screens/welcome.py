"""What a newcomer sees: three keys to a first run."""

from __future__ import annotations

from rich.text import Text
from textual.app import RenderResult
from textual.widget import Widget

from tui.theme import Ink


class Welcome(Widget, can_focus=True):
    """Shown instead of an empty table."""

    def begin(self) -> None:
        self.focus()

    def render(self) -> RenderResult:
        ink = Ink.of(self.app.theme_variables)
        text = Text(justify="left")
        text.append("Welcome.\n\n", style=f"bold {ink.strong}")
        text.append(
            "This is the cockpit for diffusion experiments on this machine: start a training, leave, "
            "come back, see the loss and the samples, compare, and draw images.\n\n",
            style=ink.text,
        )
        text.append("A first run in three keys\n\n", style=f"bold {ink.strong}")
        for key, what in (
            ("n", "a new run; the preset `digits` is chosen already"),
            ("enter", "take it as it is"),
            ("enter", "launch"),
        ):
            text.append(f"  {key:<7}", style=f"bold {ink.primary}")
            text.append(f"{what}\n", style=ink.text)
        text.append(
            "\nIt learns small handwritten digits, which come with the program, and takes a few "
            "minutes on two processor cores. Watch it, or leave with ",
            style=ink.dim,
        )
        text.append("q", style=f"bold {ink.primary}")
        text.append(": a run goes on without the app, and without the connection.", style=ink.dim)
        return text
