"""Pictures over time: one at a time, with a bar to scrub through them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import reactive
from textual.timer import Timer
from textual.widget import Widget

from tui.widgets.picture import Picture


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a strip; `caption` says what it is ("step 5000"), `x` where it stands (images seen)."""

    path: Path
    caption: str = ""
    x: float | None = None


class PositionBar(Widget):
    """Where one is in a strip: ├──┼──●──┤ 3/12. A click goes there."""

    DEFAULT_CSS = """
    PositionBar { height: 1; color: $foreground 60%; }
    """

    index: reactive[int] = reactive(0)
    total: reactive[int] = reactive(0)
    playing: reactive[bool] = reactive(False)

    class Chosen(Message):
        """A place on the bar was clicked."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def render(self) -> Text:
        if self.total < 1:
            return Text("")
        count = f" {'▶' if self.playing else ' '} {self.index + 1}/{self.total}"
        track = ["─"] * self._track
        if self.total <= (self._track + 1) // 2:
            for index in range(self.total):
                track[self._place(index)] = "┼"
        if track:
            track[0], track[-1] = "├", "┤"
            track[self._place(self.index)] = "●"
        return Text("".join(track) + count, no_wrap=True)

    @property
    def _track(self) -> int:
        return max(0, self.size.width - len(f"   {self.total}/{self.total}"))

    def _place(self, index: int) -> int:
        return round(index / max(self.total - 1, 1) * (self._track - 1))

    def on_click(self, event: events.Click) -> None:
        if self.total > 1 and event.x < self._track:
            share = event.x / max(self._track - 1, 1)
            self.post_message(self.Chosen(round(share * (self.total - 1))))


class Filmstrip(Widget, can_focus=True):
    """A list of pictures to scrub through: ← → home end; space plays and stops, z zooms.

    While the last one is shown, a longer list moves on to its new last one; else the shown one stays. Every
    move by a person posts `Scrubbed`; to move several together, hand its index (or `x`) to the others'
    `scrub_to`, which posts nothing.
    """

    DEFAULT_CSS = """
    Filmstrip { width: 1fr; height: 1fr; min-height: 4; layout: vertical; }
    Filmstrip:focus > PositionBar { color: $accent; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "step(-1)", "Before", show=False),
        Binding("right", "step(1)", "Next", show=False),
        Binding("home", "go(0)", "First", show=False),
        Binding("end", "go(-1)", "Last", show=False),
        Binding("space", "play", "Play", show=False),
        Binding("z", "zoom", "Zoom", show=False),
    ]
    SECONDS_PER_FRAME = 0.3

    class Scrubbed(Message):
        """A person moved to this frame."""

        def __init__(self, strip: Filmstrip, index: int, frame: Frame) -> None:
            super().__init__()
            self.strip = strip
            self.index = index
            self.frame = frame

        @property
        def control(self) -> Filmstrip:
            return self.strip

    def __init__(
        self,
        frames: Sequence[Frame] = (),
        *,
        alt: str = "no samples yet",
        max_columns: int = 40,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - as Textual names it
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._frames = tuple(frames)
        self._index = len(self._frames) - 1
        self._picture = Picture(alt=alt, max_columns=max_columns)
        self._bar = PositionBar()
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        yield self._picture
        yield self._bar

    def on_mount(self) -> None:
        self._show()

    # -- data ---------------------------------------------------------------------------------------

    def set_frames(self, frames: Sequence[Frame]) -> None:
        """These pictures, oldest first. Files are read in a thread, only when shown."""
        at_end = self._index >= len(self._frames) - 1
        shown = self.frame.path if self.frame else None
        self._frames = tuple(frames)
        places = [i for i, frame in enumerate(self._frames) if frame.path == shown]
        self._index = places[0] if places and not at_end else len(self._frames) - 1
        self._show()

    @property
    def frames(self) -> tuple[Frame, ...]:
        """What was set."""
        return self._frames

    @property
    def frame(self) -> Frame | None:
        """The one shown."""
        return self._frames[self._index] if self._frames else None

    @property
    def index(self) -> int:
        """Of the one shown, from 0; -1 without any."""
        return self._index

    @property
    def playing(self) -> bool:
        """Whether it moves on by itself."""
        return self._timer is not None

    @property
    def picture(self) -> Picture:
        """The picture, for its size (`max_columns`) and what is drawn."""
        return self._picture

    def scrub_to(self, index: int | None = None, *, x: float | None = None) -> None:
        """Show a frame by its index (clipped), or the one whose x is nearest; posts nothing."""
        if not self._frames:
            return
        if x is not None:
            distances = [abs(f.x - x) if f.x is not None else float("inf") for f in self._frames]
            index = distances.index(min(distances))
        self._index = min(max(index or 0, 0), len(self._frames) - 1)
        self._show()

    def _show(self) -> None:
        self._bar.total, self._bar.index = len(self._frames), max(self._index, 0)
        frame = self.frame
        self._picture.show(frame.path if frame else None, frame.caption if frame else "")

    # -- keys ---------------------------------------------------------------------------------------

    def action_step(self, by: int) -> None:
        """That many frames on."""
        self._go(self._index + by)

    def action_go(self, index: int) -> None:
        """To the first (0) or last (-1) frame."""
        self._go(index if index >= 0 else len(self._frames) - 1)

    def action_play(self) -> None:
        """Play to the end, from the start if at the end; or stop."""
        if self._timer is not None:
            self._stop()
        elif len(self._frames) > 1:
            if self._index >= len(self._frames) - 1:
                self._go(0)
            self._timer = self.set_interval(self.SECONDS_PER_FRAME, self._play_on)
            self._bar.playing = True

    def action_zoom(self) -> None:
        """The whole picture, its upper left part twice and four times as large, and back."""
        self._picture.zoom = {1.0: 2.0, 2.0: 4.0}.get(self._picture.zoom, 1.0)

    def _play_on(self) -> None:
        self._go(self._index + 1)
        if self._index >= len(self._frames) - 1:
            self._stop()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = None
        self._bar.playing = False

    def _go(self, index: int) -> None:
        before = self._index
        self.scrub_to(index)
        if self._index != before and self.frame is not None:
            self.post_message(self.Scrubbed(self, self._index, self.frame))

    def on_position_bar_chosen(self, message: PositionBar.Chosen) -> None:
        message.stop()
        self._go(message.index)
