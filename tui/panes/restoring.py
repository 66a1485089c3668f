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
from tui.panes.frames import FramesPane
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


class RestoringPane(FramesPane):
    """The predicted images of each frame beside what there is else; the last place is the result."""

    NAME = _NAME

    def __init__(self) -> None:
        super().__init__()
        self._fitted: list[str] = []  # what the zoom was chosen for; a person may zoom afterwards

    def compose(self) -> ComposeResult:
        with Horizontal(id="panels"):
            for name, title in TITLES.items():
                with Vertical(id=f"panel-{name}", classes="panel"):
                    yield Static(title, classes="picture-title", markup=False)
                    yield Picture(id=f"picture-{name}", alt="waiting for the first images", max_columns=90)
        yield PositionBar()
        yield Static(id="where", markup=False)

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
        detail, found = self._detail, self._restored
        if detail is None:
            return
        at = self._place()
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
