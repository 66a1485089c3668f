"""How good the images of a training's checkpoints are: FID and its floor as a chart, all scores below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from runs import humanize
from runs.rows import Bucket, EvaluationRow, RunDetail, RunRow
from runs.text import printable
from tui import protocols, scores
from tui.columns import unknown
from tui.keys import TABLE
from tui.panes.base import Pane
from tui.table import Column, WindowTable
from tui.theme import Ink
from tui.widgets.chart import ChartSeries, LineChart

#: Protocols up to which each has its line in the chart; of more that of the number under the cursor is drawn.
FEW = 4
#: A floor so many times below all numbers would press their lines together: it stands in the table alone.
FAR = 8.0


class EvaluationPane(Pane):
    """A line per protocol, as only equal ones may be compared; the table newest first."""

    ACTS = frozenset({"log_scale"})
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "open", show=False)]

    def __init__(self) -> None:
        super().__init__()
        self._run: RunRow | None = None
        self._shown: tuple[EvaluationRow, ...] | None = None

    def compose(self) -> ComposeResult:
        chart = LineChart(_TITLE, id="fid-chart")
        chart.y_log = self.cockpit.settings.fid_log_scale
        chart.empty_text = ""
        yield chart
        yield WindowTable[EvaluationRow](key, id="evaluations")
        yield Static(id="protocol", markup=False)

    def enter(self) -> None:
        self.table.focus()

    @property
    def table(self) -> WindowTable[EvaluationRow]:
        return self.query_one("#evaluations", WindowTable)

    def can(self, action: str) -> bool:
        return super().can(action) and bool(self._shown)

    # -- data ---------------------------------------------------------------------------------------

    def show(self, detail: RunDetail) -> None:
        self._run = detail.row
        for part in (self.query_one(LineChart), self.table):
            part.display = bool(detail.evaluations)
        if detail.evaluations != self._shown:
            self._shown = detail.evaluations
            rows = list(reversed(detail.evaluations))
            self.table.columns = _columns(rows)
            self.table.show(rows, 0, len(rows))
            self._draw()
        self._explain(detail)

    def _draw(self) -> None:
        """The lines of all protocols, or of the one under the cursor."""
        chart, shown, row = self.query_one(LineChart), self._shown or (), self.table.current
        count = len({other.protocol_id for other in shown})
        alone = row.protocol_id if row is not None and count > FEW else None
        chart.title = _TITLE if alone is None else f"{_TITLE}; of {count} protocols that under the cursor"
        chart.set_series(lines(shown, alone))

    @on(WindowTable.Highlighted)
    def _highlighted(self) -> None:
        self._draw()
        self._explain(None)

    def _explain(self, detail: RunDetail | None) -> None:
        """The protocol of the number under the cursor; without numbers, how to come to some."""
        row, note = self.table.current, Text()
        if row is not None:
            others = [other.protocol for other in self._shown or ()]
            note.append(protocols.words(row.protocol, others), style=self.ink.dim)
            floor = scores.floor_words(row.floor, row.samples)
            note.append(f"{protocols.SEPARATOR}floor: {printable(floor)}" if floor else "", self.ink.dim)
        elif detail is not None:
            note.append(_nothing(detail), style=self.ink.dim)
        self.query_one("#protocol", Static).update(note)

    # -- keys ---------------------------------------------------------------------------------------

    def action_log_scale(self) -> None:
        """FID on a logarithmic axis, or on a linear one."""
        chart = self.query_one(LineChart)
        chart.y_log = not chart.y_log
        self.cockpit.remember(fid_log_scale=chart.y_log)

    @on(WindowTable.Opened)
    def action_open(self) -> None:
        """The evaluating run that found the number, if it was one of its own."""
        row, store = self.table.current, self.cockpit.store
        if row is None or self._run is None:
            return
        if row.run_id == self._run.id:
            self.app.notify("this run found it while training", markup=False)
            return
        self.background("open", lambda: store.detail(row.run_id).row, self.cockpit.open_run)


def key(row: EvaluationRow) -> int:
    """Of an evaluation in a table: as it is found again when there are others."""
    return hash((row.run_id, row.subject_id, row.step, row.seed, row.protocol_id, row.created_at))


def lines(evaluations: Sequence[EvaluationRow], alone: str | None = None) -> list[ChartSeries]:
    """FID over images seen, a line per protocol, and each floor that is near as a dashed line across.

    alone: the one protocol that is drawn.
    """
    by: dict[str, list[EvaluationRow]] = {}
    for row in evaluations:
        if alone in (None, row.protocol_id):
            by.setdefault(row.protocol_id, []).append(row)
    kinds = [rows[0].protocol for rows in by.values()]
    found, floors = [], {}
    for colour, rows in enumerate(by.values()):
        name = protocols.label(rows[0].protocol, kinds) or "FID"
        found.append(ChartSeries(name, colour, _points(rows), marked=True))
        floor = next((row.floor for row in reversed(rows) if scores.value_of(row.floor, "fid")), None)
        if floor is not None and min(row.fid for row in rows) <= FAR * (scores.value_of(floor, "fid") or 0):
            floors[scores.value_of(floor, "fid")] = (name if len(by) > 1 else "", floor, colour)
    shared = len(floors) == 1
    across = [x for line in found for x in (point.x for point in line.points)]
    for value, (name, floor, colour) in floors.items():
        title = " ".join(word for word in ("floor", _split(floor), "" if shared else f"({name})") if word)
        found.append(ChartSeries(title, len(by) if shared else colour, _level(value, across), dashed=True))
    return found


_TITLE = "FID, lower is better"


def _points(rows: Sequence[EvaluationRow]) -> list[Bucket]:
    """By images seen; several of one checkpoint are one point, their mean."""
    at: dict[int, list[float]] = {}
    for row in rows:
        if row.images_seen is not None:
            at.setdefault(row.images_seen, []).append(row.fid)
    return [Bucket(x, min(v), max(v), sum(v) / len(v)) for x, v in sorted(at.items())]


def _level(value: float | None, across: Sequence[float]) -> list[Bucket]:
    return [] if value is None else [Bucket(x, value, value, value) for x in sorted({0.0, *across})]


def _split(floor: dict[str, Any]) -> str:
    split = floor.get("split")
    return f"({printable(split)})" if isinstance(split, str) else ""


def _itself(row: EvaluationRow) -> EvaluationRow:
    return row


def _seed(row: EvaluationRow, width: int, ink: Ink) -> Text:
    return unknown(ink) if row.seed is None else Text(str(row.seed), style=ink.dim)


def _columns(rows: Sequence[EvaluationRow]) -> list[Column[EvaluationRow]]:
    kinds = [row.protocol for row in rows]

    def told(row: EvaluationRow) -> str:
        return protocols.label(row.protocol, kinds) or protocols.words(row.protocol)

    return [
        Column("step", "step", 9, lambda r, w, i: Text(f"{r.step:,}", style=i.strong), right=True),
        *scores.score_columns(_itself, rows),
        Column("seed", "seed", 4, _seed, right=True, rank=5),
        Column("run", "by", 5, lambda r, w, i: Text(f"#{r.run_id}", style=i.dim), right=True, rank=4),
        Column(
            "age", "age", 5, lambda r, w, i: Text(humanize.age(r.created_at), style=i.dim), right=True, rank=4
        ),
        Column("protocol", "protocol", 16, lambda r, w, i: Text(told(r), style=i.dim), grows=True, rank=1),
    ]


def _nothing(detail: RunDetail) -> str:
    """What to read where nothing was evaluated."""
    face = next(key.face for key in TABLE["run"] if key.action == "evaluate")
    if not detail.checkpoints:
        return "No evaluation yet: there is no checkpoint to evaluate."
    return f"No evaluation yet. {face} evaluates a checkpoint and says beforehand how long that takes."
