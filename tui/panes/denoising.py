"""x_t and the predicted x_0 side by side, step by step; at the end the grid."""

from __future__ import annotations

import re
from pathlib import Path

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from runs.rows import DenoisingRow, RunDetail
from runs.text import printable
from tui import classes
from tui.legible import fit, image_size
from tui.panes.frames import FramesPane
from tui.widgets.filmstrip import PositionBar
from tui.widgets.picture import Picture

_NAME = re.compile(r"(\d+)-xt\.png")


class DenoisingPane(FramesPane):
    """x_t and the predicted x_0 of each frame; the last place is the grid."""

    NAME = _NAME

    def __init__(self) -> None:
        super().__init__()
        self._fitted: set[str | None] = set()  # a person may zoom afterwards

    def compose(self) -> ComposeResult:
        with Horizontal(id="pair"):
            with Vertical():
                yield Static("x_t, what the network sees", classes="picture-title", markup=False)
                yield Picture(id="x-t", alt="waiting for the first step", max_columns=90)
            with Vertical():
                yield Static("predicted x_0", classes="picture-title", markup=False)
                yield Picture(id="x-0", alt="", max_columns=90)
        with Vertical(id="grid"):
            yield Picture(id="grid-picture", max_columns=120)
        yield PositionBar()
        yield Static(id="where", markup=False)

    @property
    def _grid(self) -> Path | None:
        samples = self._detail.samples if self._detail else ()
        return Path(samples[-1].path) if samples else None

    @property
    def _count(self) -> int:
        """Places on the bar: the frames, and the grid when it is there."""
        return len(self._frames) + (self._grid is not None)

    def _draw(self) -> None:
        detail = self._detail
        if detail is None:
            return
        at = self._place()
        grid = at >= len(self._frames) and self._grid is not None
        self.query_one("#pair").display = not grid
        self.query_one("#grid").display = grid
        for picture in self.query(Picture):
            if picture.id not in self._fitted and picture.room > (0, 0):
                self._fitted.add(picture.id)
                fit(picture, image_size(detail), _drawn(detail))
        if grid:
            picture = self.query_one("#grid-picture", Picture)
            picture.row_labels = classes.rows(detail.config, detail.samples[-1].count)
            picture.show(self._grid)
        elif at >= 0:
            self._draw_pair(Path(detail.row.path) / "frames", self._frames[at])
        self.query_one("#where", Static).update(self._words(detail, at, grid))

    def _draw_pair(self, folder: Path, index: int) -> None:
        self.query_one("#x-t", Picture).show(folder / f"{index:04d}-xt.png")
        self.query_one("#x-0", Picture).show(folder / f"{index:04d}-x0.png")

    def _words(self, detail: RunDetail, at: int, grid: bool) -> Text:
        if grid:
            return Text(printable(str(self._grid)), style=self.ink.dim)
        frame = detail.frame
        if at < 0 or frame is None:
            return Text("")
        return Text(_step(frame, self._frames[at]), style=self.ink.dim)


def _drawn(detail: RunDetail) -> int | None:
    """Images in a grid of a sampling run."""
    count = detail.frame.count if detail.frame else detail.row.total_steps
    return None if count is None else min(count, 64)


def _step(latest: DenoisingRow, index: int) -> str:
    """Where in the sampling a frame stands; the timestep is known of the latest."""
    line = f"step {index} of {latest.total}"
    if index == latest.index:
        line += f" · t = {latest.timestep}"
    return f"{line} · {latest.done} of {latest.count} images done"
