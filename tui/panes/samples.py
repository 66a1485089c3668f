"""Sample grids of a training run over time, to scrub through."""

from __future__ import annotations

from pathlib import Path

from textual.app import ComposeResult
from textual.widgets import Static

from runs.rows import RunDetail, SampleRow
from tui import classes
from tui.keys import TABLE
from tui.legible import fit, image_size
from tui.panes.base import Pane
from tui.widgets.filmstrip import Filmstrip, Frame


class SamplesPane(Pane):
    """The latest grid at first; it moves on with the run while the last one is shown."""

    ACTS = frozenset({"earlier", "later", "zoom"})

    def compose(self) -> ComposeResult:
        yield Filmstrip(alt="no samples yet", max_columns=100)
        yield Static(id="sample-path", markup=False)

    def enter(self) -> None:
        self.strip.focus()

    @property
    def strip(self) -> Filmstrip:
        return self.query_one(Filmstrip)

    def can(self, action: str) -> bool:
        return super().can(action) and self.is_mounted and bool(self.strip.frames)

    def show(self, detail: RunDetail) -> None:
        frames = [Frame(Path(s.path), caption(s), s.images_seen) for s in detail.samples]
        if tuple(frames) != self.strip.frames:
            if not self.strip.frames and detail.samples:
                self.call_after_refresh(fit, self.strip.picture, image_size(detail), detail.samples[-1].count)
            self.strip.set_frames(frames)
        if detail.samples:
            self.strip.picture.row_labels = classes.rows(detail.config, detail.samples[-1].count)
        self.strip.picture.alt = _nothing(detail)
        self._show_path()

    def on_filmstrip_scrubbed(self) -> None:
        self._show_path()

    def _show_path(self) -> None:
        frame = self.strip.frame
        self.query_one("#sample-path", Static).update("" if frame is None else str(frame.path))

    def action_earlier(self) -> None:
        self.strip.action_step(-1)

    def action_later(self) -> None:
        self.strip.action_step(1)

    def action_zoom(self) -> None:
        self.strip.action_zoom()


def _nothing(detail: RunDetail) -> str:
    """What to read where no samples are."""
    key = next(key.face for key in TABLE["run"] if key.action == "sample")
    return f"no samples yet; {key} draws some from a checkpoint" if detail.checkpoints else "no samples yet"


def caption(sample: SampleRow) -> str:
    """ "step 5,000 · ddim 50 · seed 0"."""
    parts = [f"step {sample.step:,}"]
    if sample.sampler:
        parts.append(f"{sample.sampler} {sample.sampler_steps or ''}".strip())
    if sample.seed is not None:
        parts.append(f"seed {sample.seed}")
    return " · ".join(parts)
