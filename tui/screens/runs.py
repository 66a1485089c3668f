"""Home: all runs in a table, the one under the cursor beside it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input

from runs.rows import RunQuery, RunRow
from tui import keys
from tui.actions import RunActions
from tui.columns import SPARK, Sparks, columns
from tui.screens.preview import Preview
from tui.screens.welcome import Welcome
from tui.store import PAGE, Page
from tui.table import WindowTable

#: Seconds the cursor rests on a run before its pictures are read.
SETTLE = 0.3

#: Fields that the table can be sorted by, in the order in which `s` goes through them.
SORTS = ("id", "name", "status", "preset", "step", "loss", "images_per_second", "fid")
#: Fields that are looked at from the top down first.
_DESCENDING = ("id", "created_at", "step", "images_seen", "images_per_second")


class Filter(Input):
    """The line of the filter: enter goes back to the table, esc empties it first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False),
        Binding("down,up", "screen.to_table", show=False),
    ]

    def action_leave(self) -> None:
        self.value = ""
        self.screen.query_one(WindowTable).focus()


class RunsScreen(RunActions):
    """The table of runs."""

    place = "runs"
    BINDINGS: ClassVar[list[BindingType]] = [*keys.bindings("runs")]

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - as Textual names it
        super().__init__(id=id)
        self.sparks = Sparks()
        self._spark_steps: dict[int, tuple[int | None, str]] = {}
        self._settle: Timer | None = None
        self._columns = columns(self.sparks)
        self._marked: dict[int, RunRow] = {}
        self._ticks = 0

    def body(self) -> Iterable[Widget]:
        yield Body()

    def on_mount(self) -> None:
        self.headline("Runs")
        self._show_columns()
        self.query_one(WindowTable).focus()

    # -- data ---------------------------------------------------------------------------------------

    @property
    def table(self) -> WindowTable[RunRow]:
        return self.query_one("#runs", WindowTable)

    def query_of(self, offset: int) -> RunQuery:
        """The page of the table from `offset` on."""
        settings = self.cockpit.settings
        text = self.query_one(Filter).value
        return RunQuery(
            text=text, sort=settings.sort, descending=settings.descending, limit=PAGE, offset=offset
        )

    def refresh_data(self) -> None:
        if self.ready:
            self._load(self.table.start, keep=True)

    def _load(self, offset: int, *, keep: bool) -> None:
        query, store = self.query_of(offset), self.cockpit.store
        self.background("page", lambda: store.page(query), lambda page: self._show(page, keep=keep))

    def _show(self, page: Page, *, keep: bool) -> None:
        if keep and page.query.offset and not page.rows and page.total:
            self._load(max(0, page.total - PAGE), keep=False)  # the list became shorter than where we were
            return
        self._marked.update({row.id: row for row in page.rows if row.id in self._marked})
        self.table.show(page.rows, page.query.offset, page.total, keep=keep)
        nothing = page.total == 0 and not page.query.text
        self.query_one(Body).set_class(nothing, "-welcome")
        if nothing and self.focused in (self.table, None):
            self.query_one(Welcome).begin()
        elif self.focused is None or self.focused is self.query_one(Welcome):
            self.table.focus()
        self._head(page)
        self._load_sparks()
        self._preview_soon(0.0 if self._shown_run() is None else SETTLE)
        self.keys_changed()

    def _head(self, page: Page) -> None:
        what = "run" if page.total == 1 else "runs"
        note = f"{page.total:,} {what}"
        if page.query.text:
            note += " match" if page.total != 1 else " matches"
        if self._marked:
            note += f" · {len(self._marked)} marked"
        self.headline("Runs", note)

    def tick(self) -> None:
        """Ages grow; the rest is redrawn when the catalogue changes."""
        self._ticks += 1
        if self._ticks % 10 == 0:
            self.table.redraw()

    def _load_sparks(self) -> None:
        """Reads the losses of the rows in sight which moved since they were read."""
        lacking = [
            row for row in self.table.in_sight()
            if row.kind == "train" and self._spark_steps.get(row.id) != (row.step, row.created_at)
        ]  # fmt: skip
        if not lacking:
            return
        store = self.cockpit.store

        def show(losses: dict[int, list[float]]) -> None:
            self.sparks.update(losses)
            self._spark_steps.update({row.id: (row.step, row.created_at) for row in lacking})
            places = {self.table.find(row.id) for row in lacking}
            self.table.redraw_rows({place for place in places if place is not None})

        self.background("sparks", lambda: store.sparks([row.id for row in lacking], SPARK * 2), show)

    @on(WindowTable.Wanted)
    def _wanted(self, event: WindowTable.Wanted) -> None:
        self._load(event.start, keep=True)

    # -- the run under the cursor -------------------------------------------------------------------

    def chosen(self) -> RunRow | None:
        found = self.query("#runs")
        return found.first(WindowTable).current if found else None

    def chosen_all(self) -> list[RunRow]:
        return list(self._marked.values()) or super().chosen_all()

    def deleted(self, runs: list[RunRow]) -> None:
        for run in runs:
            self._marked.pop(run.id, None)
        self._show_marks()

    def _shown_run(self) -> RunRow | None:
        return self.query_one(Preview).run

    @on(WindowTable.Highlighted)
    def _highlighted(self) -> None:
        self._preview_soon(SETTLE)
        self._load_sparks()
        self.keys_changed()

    def _preview_soon(self, delay: float) -> None:
        """The name at once, pictures and curve when the cursor rests."""
        preview = self.query_one(Preview)
        preview.head(self.chosen())
        if self._settle is not None:
            self._settle.stop()
        self._settle = self.set_timer(delay, self._preview_now) if delay else None
        if not delay:
            self._preview_now()

    def on_resize(self) -> None:
        """The side pane may have room now."""
        if self.ready:
            self._preview_soon(SETTLE)

    def _preview_now(self) -> None:
        preview = self.query_one(Preview)
        if preview.display and self.size.width:
            preview.load(self.chosen())

    @on(WindowTable.Opened)
    def _opened(self) -> None:
        self.action_open()

    # -- keys ---------------------------------------------------------------------------------------

    def can(self, action: str) -> bool:
        if action == "compare":
            return len(self._marked) >= 2
        if action == "unmark":
            return bool(self._marked)
        if action == "back":
            return bool(self.query(Filter) and self.query_one(Filter).value)
        return super().can(action)

    def action_open(self) -> None:
        run = self.chosen()
        if run is not None:
            self.cockpit.open_run(run)

    def action_new(self) -> None:
        from tui.screens.new import NewScreen

        self.app.push_screen(NewScreen())

    def action_mark(self) -> None:
        run = self.chosen()
        if run is None:
            return
        if run.id in self._marked:
            del self._marked[run.id]
        else:
            self._marked[run.id] = run
        self._show_marks()
        self.table.action_move(1)

    def action_unmark(self) -> None:
        self._marked.clear()
        self._show_marks()

    def _show_marks(self) -> None:
        table = self.table
        changed = table.marked ^ set(self._marked)
        table.marked = set(self._marked)
        places = {table.find(key) for key in changed}
        table.redraw_rows({place for place in places if place is not None})
        self.headline(
            "Runs", f"{table.total:,} runs" + (f" · {len(self._marked)} marked" if self._marked else "")
        )
        self.keys_changed()

    def action_compare(self) -> None:
        from tui.screens.compare import CompareScreen

        self.app.push_screen(CompareScreen(list(self._marked)))

    # -- filter, order, columns ---------------------------------------------------------------------

    def action_filter(self) -> None:
        line = self.query_one(Filter)
        line.add_class("-open")
        line.focus()

    @on(Input.Changed)
    def _filter_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._load(0, keep=False)

    @on(Input.Submitted)
    def action_to_table(self) -> None:
        self.table.focus()

    def on_descendant_blur(self) -> None:
        line = self.query_one(Filter)
        self.call_after_refresh(lambda: line.set_class(bool(line.value) or line.has_focus, "-open"))

    def action_back(self) -> None:
        """On this screen: empties the filter."""
        self.query_one(Filter).value = ""
        self.query_one(Filter).remove_class("-open")
        self.table.focus()

    def action_sort(self) -> None:
        now = self.cockpit.settings.sort
        following = SORTS[(SORTS.index(now) + 1) % len(SORTS)] if now in SORTS else SORTS[0]
        self._sort(following, following in _DESCENDING)

    def action_reverse(self) -> None:
        settings = self.cockpit.settings
        self._sort(settings.sort, not settings.descending)

    @on(WindowTable.TitleClicked)
    def _title_clicked(self, event: WindowTable.TitleClicked) -> None:
        field, settings = event.column.sort, self.cockpit.settings
        if field is not None:
            same = field == settings.sort
            self._sort(field, not settings.descending if same else field in _DESCENDING)

    def _sort(self, field: str, descending: bool) -> None:
        self.cockpit.remember(sort=field, descending=descending)
        self.table.sorted_by = (field, descending)
        self.table.redraw()
        self._load(0, keep=False)

    def action_columns(self) -> None:
        from tui.screens.dialogs import ChooseColumns

        def chosen(hidden: tuple[str, ...] | None) -> None:
            if hidden is not None:
                self.cockpit.remember(hidden=hidden)
                self._show_columns()

        able = [(column.key, column.title) for column in self._columns if column.rank]
        self.app.push_screen(ChooseColumns(able, self.cockpit.settings.hidden), chosen)

    def _show_columns(self) -> None:
        settings, table = self.cockpit.settings, self.table
        table.columns = [c for c in self._columns if not c.rank or c.key not in settings.hidden]
        table.sorted_by = (settings.sort, settings.descending)
        table.redraw()


class Body(Horizontal):
    """Table and preview, or the welcome."""

    def compose(self) -> ComposeResult:
        with Vertical(id="list"):
            yield Filter(
                placeholder="words of name, preset, status, tags, notes, or #7", compact=True, id="filter"
            )
            yield WindowTable[RunRow](lambda row: row.id, window=PAGE, id="runs")
        yield Preview()
        yield Welcome()
