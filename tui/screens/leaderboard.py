"""All evaluations, ranked only where their protocols are equal; what keeps the groups apart is told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Static

from runs import humanize
from runs.rows import EvaluationRow, Standing
from runs.text import printable, shorten_name
from tui import keys, protocols, scores
from tui.columns import unknown
from tui.grouped import GroupedTable
from tui.panes.evaluation import key
from tui.screens.base import Place
from tui.table import Column, WindowTable
from tui.theme import Ink


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table: a heading (a protocol, or the space before one), or an evaluation of this rank."""

    number: int  #: unlike that of any other line
    heading: Text | None = None
    rank: int = 0
    row: EvaluationRow | None = None


class LeaderboardScreen(Place):
    """Groups of equal protocols, the best first in each."""

    place = "leaderboard"
    BINDINGS: ClassVar[list[BindingType]] = [*keys.bindings("leaderboard")]

    def __init__(self) -> None:
        super().__init__()
        self._standings: list[Standing] = []

    def body(self) -> Iterable[Widget]:
        yield LeaderboardBody()

    def on_mount(self) -> None:
        self.headline("Runs › Leaderboard")
        self.table.focus()

    # -- data ---------------------------------------------------------------------------------------

    @property
    def table(self) -> GroupedTable[Line]:
        return self.query_one("#leaderboard", GroupedTable)

    def refresh_data(self) -> None:
        self.background("leaderboard", self.cockpit.store.leaderboard, self._show)

    def _show(self, standings: list[Standing]) -> None:
        self._standings = standings
        rows = [row for standing in standings for row in standing.rows]
        several = len(standings) > 1
        self.headline("Runs › Leaderboard", f"{len(standings)} protocols" if several else "")
        self.table.columns = _columns(rows)
        self._show_lines()
        self.table.display = bool(rows)
        self.query_one("#legend", Static).update(self._legend(several, bool(rows)))
        self.keys_changed()

    def _show_lines(self) -> None:
        lines = _lines(self._standings, self.size.width, self.cockpit.ink)
        self.table.show(lines, 0, len(lines))

    def on_resize(self) -> None:
        if self.ready:
            self._show_lines()

    def _legend(self, several: bool, any_at_all: bool) -> Text:
        ink = self.cockpit.ink
        if not any_at_all:
            face = next(k.face for k in keys.TABLE["run"] if k.action == "evaluate")
            return Text(
                f"No evaluation yet; {face} on a run evaluates one of its checkpoints.", style=ink.dim
            )
        if not several:
            return Text("Lower FID is better, down to the floor: what real images score.", style=ink.dim)
        text = Text("Ranked only under equal protocols; ", style=ink.dim).append("◆", style=ink.accent)
        return text.append(" marks what differs from the first.", style=ink.dim)

    # -- keys ---------------------------------------------------------------------------------------

    @property
    def _chosen(self) -> EvaluationRow | None:
        found = self.query("#leaderboard")
        line = found.first(GroupedTable).current if found else None
        return line.row if line is not None else None

    def can(self, action: str) -> bool:
        row = self._chosen if self.ready else None
        if action in ("open", "open_evaluation"):
            return row is not None
        if action == "evaluate":
            return row is not None and row.subject_id is not None
        return super().can(action)

    @on(WindowTable.Highlighted)
    def _highlighted(self) -> None:
        self.keys_changed()

    @on(WindowTable.Opened)
    def action_open(self) -> None:
        if (row := self._chosen) is not None:
            self._open(row.run_id if row.subject_id is None else row.subject_id)

    def action_open_evaluation(self) -> None:
        if (row := self._chosen) is not None:
            self._open(row.run_id)

    def _open(self, run_id: int) -> None:
        store = self.cockpit.store
        self.background("open", lambda: store.detail(run_id).row, self.cockpit.open_run)

    def action_evaluate(self) -> None:
        row, store = self._chosen, self.cockpit.store
        if row is None or row.subject_id is None:
            return
        subject, step, maker = row.subject_id, row.step, row.run_id

        def read() -> tuple[Any, dict[str, Any]]:
            return store.detail(subject).row, store.detail(maker).config

        def ask(answer: tuple[Any, dict[str, Any]]) -> None:
            from tui.screens.evaluate import EvaluateScreen

            run, config = answer
            like = {section: config.get(section, {}) for section in ("sampling", "evaluation")}
            self.app.push_screen(EvaluateScreen(run, step, like=like))

        self.background("again", read, ask)


class LeaderboardBody(Vertical):
    """The table, below it how to read it."""

    def compose(self) -> ComposeResult:
        yield GroupedTable[Line](lambda line: line.number, _heading, id="leaderboard")
        yield Static(id="legend", markup=False)


def _heading(line: Line, width: int, ink: Ink) -> Text | None:
    return None if line.heading is None else line.heading.copy()


def _lines(standings: list[Standing], width: int, ink: Ink) -> list[Line]:
    kinds = [standing.protocol for standing in standings]
    lines: list[Line] = []
    for place, standing in enumerate(standings):
        headings = [Text()] if place else []
        headings += _protocol(standing, kinds, width, ink)
        lines += [Line(-len(lines) - number, heading) for number, heading in enumerate(headings, 1)]
        for rank, row in enumerate(standing.rows, 1):
            whole = row if row.floor is not None else replace(row, floor=standing.floor)
            lines.append(Line(key(row), rank=rank, row=whole))
    return lines


def _protocol(standing: Standing, kinds: list[dict[str, Any]], width: int, ink: Ink) -> list[Text]:
    """In words, in as many lines as they need, with a mark before what the first one has not; last of how
    many images the floor is."""
    protocol = standing.protocol
    first = {part.key: part.text for part in protocols.told(kinds[0], kinds)}
    words = []
    for part in protocols.told(protocol, kinds):
        differs = protocol != kinds[0] and first.get(part.key) != part.text
        word = Text("◆ " if differs else "", style=ink.accent)
        words.append(word.append(part.text, style=f"bold {ink.strong}" if differs else ink.text))
    between = Text(protocols.SEPARATOR, style=ink.faint)
    lines = [
        Text("   " if n else " ") + between.join(line) for n, line in enumerate(_wrapped(words, width - 2))
    ]
    of = printable(scores.floor_words(standing.floor, standing.rows[0].samples))
    floor = Text(f"floor: {of}" if of else "", style=ink.dim)
    if not of or lines[-1].cell_len + between.cell_len + floor.cell_len < width:
        lines[-1] = between.join([lines[-1], floor]) if of else lines[-1]
        return lines
    return [*lines, Text("   ") + floor]


def _wrapped(words: list[Text], width: int) -> list[list[Text]]:
    """The words in lines of at most `width` cells with what stands between them; none is left alone."""
    lines: list[list[Text]] = [[]]
    for word in words:
        used = sum(w.cell_len + len(protocols.SEPARATOR) for w in lines[-1])
        if lines[-1] and used + word.cell_len > width:
            lines.append([])
        lines[-1].append(word)
    if len(lines) > 1 and len(lines[-1]) == 1 and len(lines[-2]) > 2:
        lines[-1].insert(0, lines[-2].pop())
    return lines


def _columns(rows: list[EvaluationRow]) -> list[Column[Line]]:
    def named(line: Line, width: int, ink: Ink) -> Text:
        row = line.row
        if row is None:
            return Text()
        name = "(gone)" if row.subject_name is None else printable(row.subject_name)
        step = f"@{row.step}"
        return Text(shorten_name(name, width - len(step)), style=ink.strong).append(step, style=ink.dim)

    def aside(text: str | None, ink: Ink) -> Text:
        return unknown(ink) if text is None else Text(text, style=ink.dim)

    def seed(line: Line, width: int, ink: Ink) -> Text:
        known = line.row is not None and line.row.seed is not None
        return aside(str(line.row.seed) if line.row and known else None, ink)

    def by(line: Line, width: int, ink: Ink) -> Text:
        return aside(f"#{line.row.run_id}" if line.row else None, ink)

    def age(line: Line, width: int, ink: Ink) -> Text:
        return aside(humanize.age(line.row.created_at) if line.row else None, ink)

    return [
        Column("rank", "", 3, lambda line, w, i: aside(str(line.rank), i), right=True),
        Column("run", "checkpoint", 20, named, grows=True),
        *scores.score_columns(lambda line: line.row, rows),
        Column("seed", "seed", 4, seed, right=True, rank=5),
        Column("by", "by", 5, by, right=True, rank=4),
        Column("age", "age", 5, age, right=True, rank=4),
    ]
