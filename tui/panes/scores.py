"""What an evaluating run does and what it found: its stages, then every score with its floor beside it."""

from __future__ import annotations

from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Static

from runs import caveats, humanize
from runs.rows import EvaluatingRow, EvaluationRow, RunDetail
from runs.text import printable
from tui import classes, protocols, scores
from tui.columns import rail
from tui.legible import fit, image_size
from tui.panes.base import Pane
from tui.widgets.picture import Picture
from tui.widgets.status import STATUS_MARKS

#: The stages in their order, and what they are.
STAGES = {
    "reference": "features of the data set",
    "samples": "images drawn, and their features",
    "scores": "distances between the two",
}


class ScoresPane(Pane):
    """Stages while it works, then scores; the first of the images beside them where there is room."""

    def compose(self) -> ComposeResult:
        with Horizontal():
            with VerticalScroll(id="scores"):
                yield Static(markup=False, id="scores-text")
            with Vertical(id="latest"):
                yield Static(id="latest-title", markup=False)
                yield Picture(id="latest-picture", max_columns=80)

    def enter(self) -> None:
        self.query_one("#scores").focus()

    def show(self, detail: RunDetail) -> None:
        parts: list[RenderableType] = []
        if detail.evaluations:
            parts = self._found(detail.evaluations[-1], detail)
        elif detail.row.status == "running":
            parts = [self._stages(detail.evaluating)]
        else:
            parts = [Text("It ended before there were scores; r goes on where it stopped.", self.ink.dim)]
        self.query_one("#scores-text", Static).update(Group(*parts))
        latest = detail.samples[-1] if detail.samples else None
        self.query_one("#latest").set_class(latest is None, "-empty")
        if latest is not None:
            self.query_one("#latest-title", Static).update("the first of its images")
            picture = self.query_one(Picture)
            picture.row_labels = classes.rows(detail.config, latest.count)
            picture.show(Path(latest.path))
            self.call_after_refresh(fit, picture, image_size(detail), latest.count)

    # -- while it works -----------------------------------------------------------------------------

    def _stages(self, now: EvaluatingRow | None) -> Table:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        names = list(STAGES)
        at = names.index(now.stage) if now and now.stage in names else 0
        for place, name in enumerate(names):
            mark, style = ("✓", self.ink.dim) if place < at else ("○", self.ink.dim)
            if place == at:
                mark, style = STATUS_MARKS["running"][0], self.ink.strong
            line = Text(STAGES[name], style=self.ink.dim)
            if place == at and now is not None:
                line = self._progress(now)
            shade = self.ink.state("running" if place == at else "finished" if place < at else "")
            table.add_row(Text(mark, style=shade), Text(name, style=style), line)
        return table

    def _progress(self, now: EvaluatingRow) -> Text:
        share = min(1.0, now.done / now.total) if now.total else None
        text = rail(share, 16, self.ink.state("running"), self.ink)
        text.append(f"  {now.done:,} of {now.total:,}", style=self.ink.text)
        if now.seconds_left is not None:
            text.append(f" · {humanize.duration(now.seconds_left)} left", style=self.ink.dim)
        return text

    # -- when it is done ----------------------------------------------------------------------------

    def _found(self, found: EvaluationRow, detail: RunDetail) -> list[RenderableType]:
        ink = self.ink
        table = Table(box=None, padding=(0, 2, 0, 0), header_style=ink.dim)
        table.add_column(no_wrap=True, min_width=15)
        table.add_column("scores", justify="right", no_wrap=True, min_width=17)
        table.add_column("floor", justify="right", no_wrap=True, min_width=17)
        table.add_column(no_wrap=True)
        for score in scores.SCORES:
            value = scores.text_of(found, score.field)
            if score.field == "classifier_fd" and value == humanize.UNKNOWN:
                continue  # there is none for this data
            table.add_row(
                Text(score.name, style=ink.dim),
                Text(value, style=f"bold {ink.strong}" if score.field == "fid" else ink.text),
                Text(scores.text_of(found.floor, score.field), style=ink.dim),
                Text(score.meaning, style=ink.dim),
            )
        return [table, Text(), self._floor(found), Text(), self._facts(found, detail)]

    def _floor(self, found: EvaluationRow) -> Text:
        text = Text("↓ lower is better, ↑ higher is better. ", style=self.ink.dim)
        of = printable(scores.floor_words(found.floor))
        if of:
            text.append(f"The floor is what real images score: the data set's other part ({of}).")
        else:
            text.append("No floor is known: what real images would score.")
        for line in caveats.caveats(found):
            text.append(f"\n{line}")
        return text

    def _facts(self, found: EvaluationRow, detail: RunDetail) -> Table:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(style=self.ink.dim, no_wrap=True)
        table.add_column(style=self.ink.text, overflow="fold")
        subject = f"step {found.step} of a run that is gone"
        if found.subject_name is not None:
            subject = f"{printable(found.subject_name)}@{found.step}"
        seed = "" if found.seed is None else f", seed {found.seed}"
        table.add_row("of", Text(f"{subject}{seed}"))
        told = protocols.told(found.protocol)
        drawn = [part.text for part in told if part.key.startswith("sampling")]
        compared = [part.text for part in told if not part.key.startswith("sampling")]
        table.add_row("protocol", Text(protocols.SEPARATOR.join(compared)))
        table.add_row("", Text(protocols.SEPARATOR.join(drawn)))
        table.add_row("", Text(f"{found.protocol_id}: ranked only with equal ones", style=self.ink.dim))
        if found.seconds is not None:
            table.add_row("took", Text(humanize.duration(found.seconds)))
        for notice in detail.notices:
            table.add_row("notice", Text(printable(notice)))
        return table
