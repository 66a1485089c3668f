"""How likely a checkpoint finds the images of its data: bits per dimension, and the terms as a curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Static

from runs import likelihoods
from runs.rows import Bucket, LikelihoodRow, RunDetail
from tui.panes.base import Pane
from tui.widgets.chart import ChartSeries, LineChart

#: What the numbers are, for those who meet them for the first time.
MEANING = (
    "An upper bound of the bits that an image's value costs when the model codes it: lower is better. "
    "± is the standard error of the mean over images."
)


class LikelihoodPane(Pane):
    """A line for each part above, the terms by timestep below."""

    ACTS = frozenset({"log_scale"})

    def compose(self) -> ComposeResult:
        yield Static(id="bits", markup=False)
        chart = LineChart("bits/dim of each timestep", caption="timestep", y_log=True, id="terms")
        chart.empty_text = "nothing measured yet"
        yield chart
        yield Static(id="bits-note", markup=False)

    def enter(self) -> None:
        self.query_one(LineChart).focus()

    def show(self, detail: RunDetail) -> None:
        found = detail.likelihood
        self.query_one("#bits", Static).update(self._table(found) if found else _nothing(detail))
        self.query_one(LineChart).set_series(curves(found))
        note = Text(f"{MEANING} {_told(detail.config)}" if found else "", style=self.ink.dim)
        self.query_one("#bits-note", Static).update(note)

    def _table(self, found: Sequence[LikelihoodRow]) -> Table:
        ink = self.ink
        table = Table(box=None, padding=(0, 2, 0, 0), header_style=ink.dim)
        table.add_column("images", no_wrap=True, min_width=18)
        table.add_column("bits/dim", justify="right", no_wrap=True, min_width=13)
        for title in ("= decoder", "+ steps back", "+ prior"):
            table.add_column(title, justify="right", no_wrap=True, min_width=8)
        for row in found:
            done = f"{row.done:,}" if row.done == row.count else f"{row.done:,} of {row.count:,}"
            table.add_row(
                Text(f"{row.split:<6}", style=ink.text).append(done, style=ink.dim),
                Text(likelihoods.number(row), style=f"bold {ink.strong}"),
                *(Text(number, style=ink.dim) for number in _parts(row)),
            )
        return table

    def action_log_scale(self) -> None:
        """The terms on a linear axis, or on a logarithmic one."""
        chart = self.query_one(LineChart)
        chart.y_log = not chart.y_log


def curves(found: Sequence[LikelihoodRow]) -> list[ChartSeries]:
    """L_t by timestep, a line for each part; a bin's mean stands at its middle."""
    return [ChartSeries(row.split, colour, _points(row)) for colour, row in enumerate(found) if row.terms]


def _points(row: LikelihoodRow) -> list[Bucket]:
    middles = [(first + after - 1) / 2 for first, after in zip(row.edges, row.edges[1:], strict=False)]
    return [Bucket(x, term, term, term) for x, term in zip(middles, row.terms, strict=True)]


def _parts(row: LikelihoodRow) -> tuple[str, str, str]:
    """L_0, all between, L_T (Ho et al. 2020, eq. 5)."""
    if row.decoder is None or row.prior is None:
        return "", "", ""
    between = row.bits_per_dim - row.decoder - row.prior
    prior = f"{row.prior:.3f}" if row.prior >= 0.001 else f"{row.prior:.0e}"
    return f"{row.decoder:.3f}", f"{between:.3f}", prior


def _told(config: dict[str, Any]) -> str:
    """With how many timesteps, and of what."""
    diffusion, asked = config.get("diffusion", {}), config.get("likelihood", {})
    length = diffusion.get("timesteps")
    if not isinstance(length, int):
        return ""
    terms = asked.get("timesteps") or min(100, length)
    told = "Every term of every image." if terms == length else f"{terms} of {length} terms of each image."
    classes = config.get("model", {}).get("classes")
    return told + (" The network was told each image's class." if classes else "")


def _nothing(detail: RunDetail) -> Text:
    if detail.row.status == "running":
        return Text("Measuring the first images …")
    return Text("It ended before anything was measured; r goes on where it stopped.")
