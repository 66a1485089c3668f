"""What the screens of all kinds of run share: head, tabs, and the pane behind the tab in front."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar

from rich.text import Text
from textual.app import RenderResult
from textual.containers import Container
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Static

from runs import humanize
from runs.rows import RunDetail, RunRow
from runs.text import printable
from tui.actions import RunActions
from tui.bars import ClickLine
from tui.columns import fraction, number, rail, status_text
from tui.panes.base import Pane
from tui.scores import fid_with_floor
from tui.theme import Ink

#: Done by the pane in front, where it can.
_PANE_ACTIONS = frozenset({"log_scale", "smoothing", "earlier", "later", "search", "follow", "wrap", "zoom"})


class Tabs(ClickLine):
    """One line with the names of the tabs and the keys that show them."""

    active: reactive[str] = reactive("")

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__()
        self._names = list(names)

    def render(self) -> RenderResult:
        ink = Ink.of(self.app.theme_variables)
        self._places = []
        line = Text(no_wrap=True, end="")
        for position, name in enumerate(self._names, 1):
            here = name == self.active
            ground = f" on {self.app.theme_variables['panel']}" if here else ""
            word = Text(f" {position} ", style=(ink.primary if here else ink.faint) + ground)
            word.append(f"{name} ", style=(f"bold {ink.strong}" if here else ink.dim) + ground)
            self.word(line, word, f"screen.tab('{name}')")
            line.append(" ")
        return line


class AnyRunScreen(RunActions):
    """Head, tabs, and the pane behind the tab that is in front."""

    #: tab -> what makes its pane; made when first looked at.
    TABS: ClassVar[Mapping[str, Callable[[], Pane]]]

    def __init__(self, run: RunRow) -> None:
        super().__init__()
        self._run = run
        self._detail: RunDetail | None = None
        self._tab = next(iter(self.TABS))
        self._panes: dict[str, Pane] = {}
        self._shown = Text()

    def body(self) -> Iterable[Widget]:
        yield Static(id="head", markup=False)
        yield Tabs(self.TABS)
        yield Container(id="panes")

    def on_mount(self) -> None:
        self._show_head()
        self.call_after_refresh(self._show_tab)  # so that the key's effect is seen at once

    # -- data ---------------------------------------------------------------------------------------

    def chosen(self) -> RunRow | None:
        return self._run

    def refresh_data(self) -> None:
        store, run_id = self.cockpit.store, self._run.id
        self.background("detail", lambda: store.detail(run_id), self._show_detail, failed=self._gone)

    def _gone(self, line: str) -> None:
        """The run was moved to the trash, here or elsewhere."""
        self.say(line, "warning")
        if self.is_current:
            self.app.pop_screen()

    def _show_detail(self, detail: RunDetail) -> None:
        before, self._detail, self._run = self._run, detail, detail.row
        self._show_head()
        self._show_pane()
        self.keys_changed()
        if before.status == "running" and detail.row.status != "running":
            self._tell_end(detail)

    def _tell_end(self, detail: RunDetail) -> None:
        bad = detail.row.status in ("failed", "lost")
        line = f"{detail.row.name} {'is ' if bad and detail.row.status == 'lost' else ''}{detail.row.status}"
        if detail.error:
            line += f": {detail.error}"
        self.say(line, "error" if bad else "information")

    def tick(self) -> None:
        self._show_head()

    def deleted(self, runs: list[RunRow]) -> None:
        if self.is_current:
            self.app.pop_screen()

    # -- head ---------------------------------------------------------------------------------------

    def _show_head(self) -> None:
        run = self._run
        self.headline(f"Runs › #{run.id} {run.name}", " ".join(run.tags))
        head = self._head(run, self._detail)
        if head != self._shown:
            lines = self._shown.plain.count("\n")
            self._shown = head
            self.query_one("#head", Static).update(head, layout=lines != head.plain.count("\n"))

    def _head(self, run: RunRow, detail: RunDetail | None) -> Text:
        ink = self.cockpit.ink
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append_text(status_text(run.state, ink))
        where = detail.device_name if detail and detail.device_name else run.device
        started = detail.started_at if detail and detail.started_at else run.created_at
        facts: list[str | None] = [
            run.preset,
            where,
            f"{humanize.count(detail.parameters)} parameters" if detail and detail.parameters else None,
            f"ended {humanize.age(run.ended_at)} ago"
            if run.ended_at
            else f"{'started' if run.waits_for is None else 'queued'} {humanize.age(started)} ago",
        ]
        for fact in facts:
            if fact:
                text.append(" · ", style=ink.faint).append(printable(fact), style=ink.dim)
        text.append("\n").append_text(self._line(run, ink))
        if detail and detail.error and run.status in ("failed", "lost", "stopped"):
            text.append("\n").append(printable(detail.error), style=ink.error)
        return text

    @property
    def rail_width(self) -> int:
        """Cells of the bar of progress."""
        return max(8, min(30, self.size.width // 8))

    def _line(self, run: RunRow, ink: Ink) -> Text:
        if run.waits_for is None:
            return self._progress(run, ink)
        return rail(None, self.rail_width, ink.dim, ink).append(
            f"  waits for #{run.waits_for} to end", style=ink.dim
        )

    def _progress(self, run: RunRow, ink: Ink) -> Text:
        share = fraction(run)
        running = run.status == "running"
        shade = ink.state("running") if running else ink.dim
        text = rail(share, self.rail_width, shade, ink)
        unit = "steps" if run.kind == "train" else "images"
        if running and run.step is None:
            return text.append("  starting, this takes a few seconds", style=ink.dim)
        if run.total_steps is not None:
            all_of_them = "" if run.step == run.total_steps else f" of {run.total_steps:,}"
            text.append(f"  {run.step or 0:,}", style=ink.strong)
            text.append(f"{all_of_them} {unit}", style=ink.dim)
        facts = [
            ("", None if share is None or self.size.width < 100 else f"{share:.0%}"),
            (
                "",
                f"{humanize.duration(run.seconds_left)} left"
                if running and run.seconds_left is not None
                else None,
            ),
            ("loss ", None if run.loss is None else number(run.loss, ink).plain),
            ("", humanize.rate(run.images_per_second) if running and run.images_per_second else None),
        ]
        text.append_text(self._facts(facts, ink))
        return text.append_text(self._scores(ink))

    def _facts(self, facts: list[tuple[str, str | None]], ink: Ink) -> Text:
        text = Text()
        for label, value in facts:
            if value:
                text.append(" · ", style=ink.faint).append(label, style=ink.dim).append(value, style=ink.text)
        return text

    def _scores(self, ink: Ink) -> Text:
        """Its FID; while it evaluates itself, how far that is."""
        text, detail = Text(), self._detail
        if detail is not None and detail.decisive is not None:
            text.append(" · ", style=ink.faint).append_text(fid_with_floor(detail.decisive, ink))
        now = detail.evaluating if detail is not None else None
        if now is not None:
            text.append(" · ", style=ink.faint).append(f"evaluating: {printable(now.stage)} ", style=ink.dim)
            text.append(f"{now.done:,} of {now.total:,}", style=ink.text)
        return text

    # -- tabs ---------------------------------------------------------------------------------------

    @property
    def pane(self) -> Pane | None:
        """The pane in front."""
        return self._panes.get(self._tab)

    async def _show_tab(self) -> None:
        self.query_one(Tabs).active = self._tab
        for name, pane in self._panes.items():
            pane.display = name == self._tab
        if self._tab not in self._panes:
            pane = self._panes[self._tab] = self.TABS[self._tab]()
            await self.query_one("#panes").mount(pane)
        self._show_pane()
        self._panes[self._tab].enter()
        self.keys_changed()

    def _show_pane(self) -> None:
        if self._detail is not None and self.pane is not None and self.pane.is_mounted:
            self.pane.show(self._detail)

    async def action_tab(self, name: str) -> None:
        if name in self.TABS and name != self._tab:
            self._tab = name
            await self._show_tab()

    async def _turn(self, by: int) -> None:
        names = list(self.TABS)
        await self.action_tab(names[(names.index(self._tab) + by) % len(names)])

    async def action_previous_tab(self) -> None:
        await self._turn(-1)

    async def action_next_tab(self) -> None:
        await self._turn(1)

    # -- keys ---------------------------------------------------------------------------------------

    def can(self, action: str) -> bool:
        if action in _PANE_ACTIONS:
            return self.pane is not None and self.pane.can(action)
        return super().can(action)

    async def _pass_on(self, action: str) -> None:
        if self.pane is not None and action in self.pane.ACTS:
            await self.pane.run_action(action)

    async def action_log_scale(self) -> None:
        await self._pass_on("log_scale")

    async def action_smoothing(self) -> None:
        await self._pass_on("smoothing")

    async def action_earlier(self) -> None:
        await self._pass_on("earlier")

    async def action_later(self) -> None:
        await self._pass_on("later")

    async def action_search(self) -> None:
        await self._pass_on("search")

    async def action_follow(self) -> None:
        await self._pass_on("follow")

    async def action_zoom(self) -> None:
        await self._pass_on("zoom")

    async def action_wrap(self) -> None:
        await self._pass_on("wrap")
