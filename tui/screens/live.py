"""Try a network: a warm process draws at once what is asked for, one grid or many solvers side by side."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from ddpm.config import Config
from runs import humanize
from runs.live import Answer, Drawing, Drawn, Live, Ready, Refused
from runs.rows import RunRow
from runs.text import printable
from tui import classes, keys, solvers
from tui.columns import rail
from tui.legible import across, zoom
from tui.screens.base import Place, one_line
from tui.solvers import Attempt
from tui.theme import Ink
from tui.widgets.cells import NAMES, Cells, Key
from tui.widgets.picture import Picture

if TYPE_CHECKING:
    from runs.directory import RunDirectory


class Answered(Message):
    """The process said something; None: it is gone, for the reason told."""

    def __init__(self, answer: Answer | None, reason: str = "") -> None:
        super().__init__()
        self.answer, self.reason = answer, reason


#: What needs the process that draws.
OF_THE_PROCESS = ("seed", "steps", "compare", "sample", "solver", "count", "label", "guidance")


class LiveScreen(Place):
    """Of a training's checkpoint (None: its latest). The process lives as long as the screen."""

    place = "live"
    BINDINGS: ClassVar[list[BindingType]] = [*keys.bindings("live")]

    def __init__(self, run: RunRow, step: int | None = None) -> None:
        super().__init__()
        self._run, self._step = run, step
        self._live: Live | None = None
        self._left = False
        self._config: Config | None = None
        self._attempt: Attempt | None = None
        self._solvers: list[str] = []
        self._guidable = False
        self._columns: int | None = None  #: images in a row of the one grid; None: a row for each class
        self._asked: dict[int, Key | None] = {}  #: what is under way; None: the one grid
        self._drawn: Drawn | None = None  #: the latest grid
        self._progress: Drawing | None = None
        self._comparing = False
        self._problem = ""
        self._device = ""

    def body(self) -> Iterable[Widget]:
        yield LiveBody()

    def on_mount(self) -> None:
        self.headline(f"Runs › #{self._run.id} {self._run.name} › Try")
        self._show()
        path, step = Path(self._run.path), self._step

        def start() -> Live:
            from runs.directory import RunDirectory

            run: RunDirectory = RunDirectory(path)
            live = self._live = Live(run, step)
            if self._left:  # before it had begun
                live.close()
            return live

        self.background("start", start, self._started, failed=self._failed, slow=True)

    def _started(self, live: Live) -> None:
        self._config = live.config
        self._solvers = solvers.solvers(live.config)
        self._guidable = solvers.guidable(live.config)
        self._attempt = solvers.first(live.config)
        self.headline(f"Runs › #{self._run.id} {self._run.name} › Try", f"step {live.step:,}")

        def read() -> None:
            try:
                for answer in live.answers():
                    self.post_message(Answered(answer))
            except Exception as error:  # the boundary of the thread: told on the screen
                self.post_message(Answered(None, one_line(error)))

        self.background("read", read, slow=True)
        self._ask()

    def _failed(self, line: str) -> None:
        self._problem = line
        self._show()

    def on_unmount(self) -> None:
        self._left = True  # first: either this or the thread that starts it sees the other
        if self._live is not None:
            self._live.close()

    # -- asking and hearing -------------------------------------------------------------------------

    def _ask(self) -> None:
        """Draws what is chosen now; what was under way is dropped."""
        if self._live is None or self._attempt is None:
            return
        self._live.cancel()
        self.workers.cancel_group(self, "arrange")
        self._asked, self._progress, self._problem = {}, None, ""
        if self._comparing:
            work: Any = self._ask_all  # not a coroutine yet: it may be dropped before it begins
            self.run_worker(work, group="arrange", exclusive=True)
        else:
            self._columns = self._across(self._attempt)
            self._asked[self._live.ask(self._attempt.values(), self._columns)] = None
        self._show()

    def _across(self, attempt: Attempt) -> int | None:
        """Images in a row, so that the picture shows them largest; None: a row for each class."""
        assert self._config is not None
        return across(*self._room(), self._config.data.shape[1], attempt.count, self._in_turn(attempt))

    def _in_turn(self, attempt: Attempt) -> int:
        """How many are drawn in turn; 0 for one, and where none is told."""
        told = self._config.model.classes if self._config is not None else 0
        return 0 if attempt.label is not None or not told else len(set(attempt.every)) or told

    def _room(self) -> tuple[int, int]:
        """Cells that the one grid has, or will have when the table of many makes place for it."""
        picture, table = self.query_one("#live-picture", Picture), self.query_one(Cells)
        if picture.display:
            return picture.room
        return min(table.size.width, picture.max_columns), min(table.size.height, picture.max_columns // 2)

    def on_resize(self) -> None:
        self.call_after_refresh(self._resized)

    def _resized(self) -> None:
        """The one grid is drawn anew where its images would lie otherwise now."""
        if self._attempt is None or self._comparing or not self.ready:
            return
        if self._across(self._attempt) != self._columns:
            self._ask()
        elif self._drawn is not None:
            self.query_one("#live-picture", Picture).zoom = self._zoom(self._drawn.count)

    def _zoom(self, count: int) -> float:
        if self._config is None:
            return 1.0
        rows = 0 if self._attempt is None else min(self._in_turn(self._attempt), count)
        columns = self._columns or (math.ceil(count / rows) if rows else None)
        return zoom(*self._room(), self._config.data.shape[1], count, columns)

    async def _ask_all(self) -> None:
        """A cell for each solver and step count, the cheap ones of each row first."""
        live, config, attempt = self._live, self._config, self._attempt
        assert live is not None
        assert config is not None
        assert attempt is not None
        room, side = self.size.width - NAMES - 2, config.data.shape[1]
        steps = solvers.columns(attempt.steps, 3 if room >= 100 else 2, solvers.ladder(config))
        cell = room // len(steps) - 1
        count = max(1, min(8, round(cell / (side + 1))))
        scale = min(1.0, cell / (count * (side + 1)))
        table = self.query_one(Cells)
        titles = {name: solvers.title(config, name) for name in self._solvers}
        await table.lay_out(titles, steps, cell, math.ceil(scale * side / 2) + 2)
        for key in table.keys:
            asked = replace(attempt, sampler=key[0], steps=key[1], count=count)
            self._asked[live.ask(asked.values(), columns=count)] = key
        self._show()

    def on_answered(self, message: Answered) -> None:
        answer = message.answer
        if answer is None:
            self._live, self._asked, self._problem = None, {}, message.reason
        elif isinstance(answer, Ready):
            self._device = answer.device
        elif answer.id not in self._asked:
            return  # of what was dropped
        elif isinstance(answer, Drawing):
            self._progress = answer
        elif isinstance(answer, Drawn):
            self._take(answer, self._asked.pop(answer.id))
        else:
            self._refuse(answer, self._asked.pop(answer.id))
        self._show()
        self.keys_changed()

    def _take(self, answer: Drawn, key: Key | None) -> None:
        self._progress = None
        if key is not None:
            self.query_one(Cells).fill(key, answer.png, cost(answer, key[1]))
            return
        from PIL import Image

        self._drawn = answer
        picture = self.query_one("#live-picture", Picture)
        names: tuple[str, ...] = ()
        if self._config is not None and self._attempt is not None and self._attempt.label is None:
            plain = {**self._config.to_dict(), "sampling": {"labels": list(self._attempt.every)}}
            names = () if self._columns else classes.rows(plain, answer.count)
        picture.set_reactive(Picture.row_labels, names)  # seen with the picture, not before it
        picture.set_reactive(Picture.zoom, self._zoom(answer.count))
        picture.show(Image.open(BytesIO(answer.png), formats=["PNG"]))

    def _refuse(self, answer: Refused, key: Key | None) -> None:
        if answer.error is None:
            return
        if key is None:
            self._problem = answer.error
        else:
            self.query_one(Cells).tell(key, printable(answer.error))

    # -- showing ------------------------------------------------------------------------------------

    def _show(self) -> None:
        if not self.ready:
            return
        ink = Ink.of(self.app.theme_variables)
        self.query_one("#live-facts", Static).update(self._facts(ink))
        self.query_one("#live-state", Static).update(self._state(ink))
        self.query_one("#live-picture").display = not self._comparing
        self.query_one(Cells).display = self._comparing

    def _facts(self, ink: Ink) -> Text:
        """What is chosen."""
        text, attempt, config = Text(no_wrap=True, overflow="ellipsis"), self._attempt, self._config
        if attempt is None or config is None:
            return text
        solver = solvers.title(config, attempt.sampler).replace("\n", " ")
        alone = not self._comparing
        facts = [("", solver), ("steps ", f"{attempt.steps:,}")] if alone else []
        if self._guidable:
            facts += [("guidance ", solvers.guided(config, attempt.guidance))]
        if config.model.classes:
            labels = attempt.every if attempt.label is None else (attempt.label,)
            named = ", ".join(classes.name(config.data.dataset, label) for label in labels)
            facts += [("class ", named or "all")]
        facts += [("seed ", str(attempt.seed))]
        for place, (name, value) in enumerate(facts):
            text.append(" · " if place else "", style=ink.faint).append(name, style=ink.dim)
            text.append(value, style=f"bold {ink.strong}")
        return text

    def _state(self, ink: Ink) -> Text:
        """What it costs, or how far it is."""
        if self._problem:
            return Text(printable(self._problem), style=ink.error)
        if self._live is None or not self._device:
            return Text("Loading the network …", style=ink.dim)
        if self._comparing:
            return self._compared(ink)
        if self._progress is not None and self._asked:
            now = self._progress
            text = rail(now.done / now.total, 16, ink.state("running"), ink)
            return text.append(f"  step {now.done:,} of {now.total:,}", style=ink.dim)
        if self._drawn is None or self._asked:
            return Text("Drawing …", style=ink.dim)
        count = self._drawn.count
        text = Text(f"{count} image{'' if count == 1 else 's'} · {cost(self._drawn, None)}", style=ink.text)
        return text.append(f" · {printable(self._device)}", style=ink.dim)

    def _compared(self, ink: Ink) -> Text:
        total = len(self.query_one(Cells).keys)
        left = len(self._asked)
        if left:
            text = rail((total - left) / total if total else 0.0, 16, ink.state("running"), ink)
            return text.append(f"  {total - left} of {total} drawn", style=ink.dim)
        return Text("The same noise in every cell; NFE are evaluations of the network.", style=ink.dim)

    # -- keys ---------------------------------------------------------------------------------------

    def can(self, action: str) -> bool:
        if self._live is None and action in OF_THE_PROCESS:
            return False
        if action in ("seed", "steps", "compare", "sample"):
            return self._attempt is not None
        if action in ("solver", "count"):
            return self._attempt is not None and not self._comparing
        if action == "row":
            return self._comparing
        if action == "label":
            return self._config is not None and self._config.model.classes > 0
        if action == "guidance":
            return self._guidable
        return super().can(action)

    def _try(self, **changes: Any) -> None:
        if self._attempt is not None:
            self._attempt = replace(self._attempt, **changes)
            self._ask()

    def action_seed(self, by: int) -> None:
        """The images of another seed."""
        if self._attempt is not None:
            self._try(seed=max(0, self._attempt.seed + by))

    def action_steps(self, by: int) -> None:
        if self._attempt is not None and self._config is not None:
            rungs = solvers.ladder(self._config)
            self._try(steps=solvers.moved(self._attempt.steps, by, rungs))

    def action_solver(self, by: int) -> None:
        if self._attempt is not None:
            self._attempt = solvers.with_solver(self._attempt, by, self._solvers)
            self._ask()

    def action_count(self, by: int) -> None:
        if self._attempt is not None:
            self._try(count=solvers.next_count(self._attempt.count, by))

    def action_label(self, by: int) -> None:
        if self._attempt is not None and self._config is not None:
            self._try(label=solvers.next_label(self._attempt.label, by, self._config.model.classes))

    def action_guidance(self, by: int) -> None:
        if self._attempt is not None:
            self._try(guidance=solvers.next_guidance(self._attempt.guidance, by))

    def action_compare(self) -> None:
        """All solvers side by side, or one grid again."""
        self._comparing = not self._comparing
        self._ask()
        self.keys_changed()

    def action_row(self, by: int) -> None:
        """The solvers below, or above."""
        self.query_one(Cells).by_row(by)

    def action_sample(self) -> None:
        """The form that draws the same as a run, which is kept."""
        from tui.screens.sample import SampleScreen

        attempt, config = self._attempt, self._config
        if attempt is not None and config is not None and self._live is not None:
            like = {"sampling": config.sampling.model_dump() | attempt.values()}  # as `ddpm.live` draws it
            self.app.push_screen(SampleScreen(self._run, self._live.step, like=like))


class LiveBody(Vertical):
    """What is chosen, what it costs, and the pictures."""

    def compose(self) -> ComposeResult:
        yield Static(id="live-facts", markup=False)
        yield Static(id="live-state", markup=False)
        yield Picture(id="live-picture", alt="", max_columns=120)
        cells = Cells(id="live-cells")
        cells.display = False
        yield cells


def cost(answer: Drawn, steps: int | None) -> str:
    """ "10 steps · NFE 10 · 0.41 s"."""
    before = "" if steps is None else f"{steps:,} step{'' if steps == 1 else 's'} · "
    seconds = f"{answer.seconds:.2f} s" if answer.seconds < 10 else humanize.duration(answer.seconds)
    return f"{before}NFE {answer.evaluations:,} · {seconds}"
