"""What panes share that show the steps of a run: frames in its folder, one of them in front."""

from __future__ import annotations

import re
from pathlib import Path

from runs.rows import RunDetail
from tui.panes.base import Pane
from tui.widgets.filmstrip import PositionBar
from tui.widgets.picture import Picture


class FramesPane(Pane, can_focus=True):
    """Follows the run while the last place is shown; ← → look at the others."""

    ACTS = frozenset({"earlier", "later", "zoom"})
    #: Names of the frames, each with its step.
    NAME: re.Pattern[str]

    def __init__(self) -> None:
        super().__init__()
        self._detail: RunDetail | None = None
        self._frames: list[int] = []
        self._at: int | None = None  # None: the newest there is

    def enter(self) -> None:
        self.focus()

    # -- data ---------------------------------------------------------------------------------------

    def show(self, detail: RunDetail) -> None:
        self._detail = detail
        folder = Path(detail.row.path) / "frames"

        def read() -> list[int]:
            if not folder.is_dir():
                return []
            return sorted(int(m[1]) for p in folder.iterdir() if (m := self.NAME.fullmatch(p.name)))

        self.background("frames", read, self._show_frames)

    def _show_frames(self, frames: list[int]) -> None:
        self._frames = frames
        self._draw()

    @property
    def _count(self) -> int:
        """Places on the bar: the frames, and what came of them when it is there."""
        raise NotImplementedError

    def _draw(self) -> None:
        raise NotImplementedError

    def _place(self) -> int:
        """The place that is shown, also told to the bar; -1 while there is none."""
        count = self._count
        at = count - 1 if self._at is None else min(self._at, count - 1)
        position = self.query_one(PositionBar)
        position.total, position.index = count, max(0, at)
        return at

    # -- keys ---------------------------------------------------------------------------------------

    def action_zoom(self) -> None:
        """All images, or the first ones larger."""
        for picture in self.query(Picture):
            picture.zoom = {1.0: 2.0, 2.0: 4.0}.get(picture.zoom, 1.0)

    def _move(self, by: int) -> None:
        count = self._count
        if not count:
            return
        at = count - 1 if self._at is None else self._at
        at = max(0, min(at + by, count - 1))
        self._at = None if at == count - 1 else at
        self._draw()

    def action_earlier(self) -> None:
        self._move(-1)

    def action_later(self) -> None:
        self._move(1)

    def on_position_bar_chosen(self, event: PositionBar.Chosen) -> None:
        event.stop()
        self._move(event.index - (self._count - 1 if self._at is None else self._at))
