"""The columns of the runs table."""

from __future__ import annotations

import math

from rich.text import Text

from runs import humanize
from runs.rows import RunRow
from runs.text import printable, shorten_name
from tui.table import Column
from tui.theme import Ink
from tui.widgets.spark import spark
from tui.widgets.status import STATUS_MARKS

SPARK = 8  #: characters of a loss in the table


class Sparks(dict[int, list[float]]):
    """The losses of the runs in sight, by run id."""


def number(value: float | None, ink: Ink) -> Text:
    """A loss or a score in at most six characters."""
    if value is None or not math.isfinite(value):
        return unknown(ink) if value is None else Text(str(value), style=ink.error)
    if value >= 1000:
        return Text(humanize.count(value))
    return Text(f"{value:.4f}"[:6] if value < 100 else f"{value:.1f}")


def unknown(ink: Ink) -> Text:
    return Text(humanize.UNKNOWN, style=ink.faint)


def status_text(status: str, ink: Ink) -> Text:
    """Mark and word in the theme's colour of the state."""
    return Text(f"{STATUS_MARKS.get(status, ('·', ''))[0]} {status}", style=ink.state(status))


def name_text(run: RunRow, ink: Ink, width: int = 10_000) -> Text:
    """The name; runs that work on another's checkpoint are told apart by an arrow."""
    name = printable(run.name)
    if run.kind == "train":
        return Text(shorten_name(name, width), style=ink.strong)
    return Text("↳ ", style=ink.faint).append(shorten_name(name, width - 2), style=ink.text)


def fraction(run: RunRow) -> float | None:
    """How much of the run is done, 0 … 1."""
    return None if run.step is None or not run.total_steps else min(1.0, run.step / run.total_steps)


def progress_text(run: RunRow, width: int, ink: Ink) -> Text:
    """A bar and the step; of an evaluation that draws nothing yet how much of the reference is done."""
    if run.waits_for is not None:
        return Text(f"after #{run.waits_for}", style=ink.dim)
    if run.preparing is not None:
        line = rail(run.preparing, width - 9, ink.dim, ink)
        return line.append(f" ref {f'{run.preparing:.0%}':>4}", style=ink.dim)
    if run.step is None:
        return unknown(ink)
    line = rail(fraction(run), width - 7, _shade(run, ink), ink)
    return line.append(f" {humanize.count(run.step):>6}", style=ink.text)


def rail(share: float | None, width: int, shade: str, ink: Ink) -> Text:
    """A thin bar of progress, in half characters."""
    halves = 0 if share is None else int(share * width * 2 + 1e-9)
    line = Text().append("━" * (halves // 2), style=shade)
    if halves % 2:
        line.append("╸", style=shade)
    return line.append("┈" * (width - (halves + 1) // 2), style=ink.trough)


def _shade(run: RunRow, ink: Ink) -> str:
    return ink.state("running") if run.status == "running" else ink.dim


def _text(value: str | None, ink: Ink) -> Text:
    return unknown(ink) if value is None else Text(printable(value), style=ink.dim)


def _seen(run: RunRow, width: int, ink: Ink) -> Text:
    return unknown(ink) if run.images_seen is None else Text(humanize.count(run.images_seen), style=ink.dim)


def _rate(run: RunRow, width: int, ink: Ink) -> Text:
    """Images per second without their unit, which the title says."""
    if run.images_per_second is None:
        return unknown(ink)
    return Text(humanize.rate(run.images_per_second).removesuffix(" img/s"), style=ink.dim)


def _age(run: RunRow, width: int, ink: Ink) -> Text:
    return Text(humanize.age(run.created_at), style=ink.dim)


def _fid(run: RunRow, width: int, ink: Ink) -> Text:
    return unknown(ink) if run.fid is None else Text(humanize.distance(run.fid))


def columns(sparks: Sparks) -> list[Column[RunRow]]:
    """All columns in their order; `sparks` is filled by the screen as rows come into sight."""

    def loss(run: RunRow, width: int, ink: Ink) -> Text:
        text = Text(f"{number(run.loss, ink).plain:>6}", style=ink.faint if run.loss is None else ink.text)
        line = spark(sparks.get(run.id, ()), SPARK, log=True)
        return text.append(f" {line}", style=ink.primary if run.status == "running" else ink.dim)

    return [
        Column("status", "status", 10, lambda r, w, i: status_text(r.state, i), sort="status"),
        Column("id", "id", 5, lambda r, w, i: Text(f"#{r.id}", style=i.dim), right=True, rank=3, sort="id"),
        Column("name", "name", 14, lambda r, w, i: name_text(r, i, w), grows=True, sort="name"),
        Column("kind", "kind", 8, lambda r, w, i: _text(r.kind, i), rank=3, sort="kind"),
        Column("preset", "preset", 13, lambda r, w, i: _text(r.preset, i), rank=5, sort="preset"),
        Column("step", "step", 15, progress_text, rank=1, sort="step"),
        Column("images_seen", "images", 6, _seen, right=True, rank=3, sort="images_seen"),
        Column("loss", "loss", 7 + SPARK, loss, rank=2, sort="loss"),
        Column("images_per_second", "img/s", 6, _rate, right=True, rank=4, sort="images_per_second"),
        Column("fid", "FID", 6, _fid, right=True, rank=3, sort="fid"),
        Column("device", "device", 7, lambda r, w, i: _text(r.device, i), rank=3, sort="device"),
        Column("tags", "tags", 14, lambda r, w, i: Text(printable(" ".join(r.tags)), style=i.accent), rank=3),
        Column("created_at", "created", 16, _created, rank=3, sort="created_at"),
        Column("age", "age", 5, _age, right=True, rank=3, sort="created_at"),
    ]


def _created(run: RunRow, width: int, ink: Ink) -> Text:
    return Text(run.created_at.replace("T", " ")[:16], style=ink.dim)
