"""Degraded, restored, truth and spread side by side; the restored ones step by step while they are made."""

from __future__ import annotations

import re
from pathlib import Path

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from runs.rows import RestoredRow, RunDetail
from runs.text import printable
from tui.legible import image_size, zoom
from tui.panes.base import Pane
from tui.widgets.filmstrip import PositionBar
from tui.widgets.picture import Picture

#: Name of a picture and what stands above it, in their order.
TITLES = {
    "degraded": "degraded",
    "restored": "restored",
    "truth": "truth",
    "spread": "spread",
}
#: Images of one picture (`ddpm.restoration.panels.LIMIT`, which needs torch).
_SHOWN = 16
_NAME = re.compile(r"(\d+)-x0\.png")


class RestoringPane(Pane, can_focus=True):
    """Follows the run while the last frame is shown; ← → look at the others, the last one is the result."""

    ACTS = frozenset({"earlier", "later", "zoom"})

    def __init__(self) -> None:
        super().__init__()
        self._detail: RunDetail | None = None
        self._frames: list[int] = []
        self._fitted: list[str] = []  # what the zoom was chosen for; a person may zoom afterwards
        self._at: int | None = None  # None: the newest there is

    def compose(self) -> ComposeResult:
        with Horizontal(id="panels"):
            for name, title in TITLES.items():
                with Vertical(id=f"panel-{name}", classes="panel"):
                    yield Static(title, classes="picture-title", markup=False)
                    yield Picture(id=f"picture-{name}", alt="waiting for the first images", max_columns=90)
        yield PositionBar()
        yield Static(id="where", markup=False)

    def enter(self) -> None:
        self.focus()

    # -- data ---------------------------------------------------------------------------------------

    def show(self, detail: RunDetail) -> None:
        self._detail = detail
        folder = Path(detail.row.path) / "frames"

        def read() -> list[int]:
            if not folder.is_dir():
                return []
            return sorted(int(m[1]) for p in folder.iterdir() if (m := _NAME.fullmatch(p.name)))

        self.background("frames", read, self._show_frames)

    def _show_frames(self, frames: list[int]) -> None:
        self._frames = frames
        self._draw()

    def on_resize(self) -> None:
        self._fitted = []
        self._draw()

    @property
    def _restored(self) -> RestoredRow | None:
        return self._detail.restored if self._detail else None

    @property
    def _result(self) -> str | None:
        return self._restored.restored if self._restored else None

    @property
    def _count(self) -> int:
        """Places on the bar: the frames, and the result when it is there."""
        return len(self._frames) + (self._result is not None)

    def _draw(self) -> None:
        detail, found, count = self._detail, self._restored, self._count
        if detail is None:
            return
        at = count - 1 if self._at is None else min(self._at, count - 1)
        position = self.query_one(PositionBar)
        position.total, position.index = count, max(0, at)
        paths = {name: getattr(found, name) if found else None for name in TITLES}
        if 0 <= at < len(self._frames):
            paths["restored"] = f"{detail.row.path}/frames/{self._frames[at]:04d}-x0.png"
        shown = [name for name in TITLES if paths[name] or name in ("degraded", "restored")]
        for name in TITLES:
            self.query_one(f"#panel-{name}").display = name in shown
        for name, path in paths.items():
            if path:
                picture = self.query_one(f"#picture-{name}", Picture)
                picture.show(Path(path))
                picture.check()
        self.query_one("#where", Static).update(self._words(detail, at))
        if shown != self._fitted:
            self._fitted = shown
            self.call_after_refresh(self._fit, detail)

    def _fit(self, detail: RunDetail) -> None:
        """The same zoom for all, such that an image can be recognised."""
        pictures = [self.query_one(f"#picture-{name}", Picture) for name in self._fitted]
        count = min(detail.row.total_steps or 1, _SHOWN)
        columns, rows = (min(picture.room[i] for picture in pictures) for i in (0, 1))
        for picture in pictures:
            picture.max_columns = columns  # a cell more for one of them would set them apart
            picture.zoom = zoom(columns, rows, image_size(detail), count)

    def _words(self, detail: RunDetail, at: int) -> Text:
        text = Text(style=self.ink.dim)
        frame = detail.frame
        if frame is not None and 0 <= at < len(self._frames):
            steps = self._frames[-1] if frame.done else max(self._frames[-1], 1)
            text.append(f"step {self._frames[at]} of {steps} of the first images")
        elif detail.restored is not None and detail.restored.restored:
            text.append("the first images of the run")
        if detail.notices:
            text.append("\n" if text else "").append(printable(detail.notices[-1]), style=self.ink.warning)
        return text

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
