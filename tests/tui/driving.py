"""Driving the app in tests: by keys, waiting for what is meant rather than for time."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from textual.pilot import Pilot

from runs.home import Home
from tui.app import DdpmApp
from tui.screens.runs import RunsScreen


async def until(pilot: Pilot[Any], condition: Callable[[], object], seconds: float = 15.0) -> None:
    """Waits until a condition holds; AssertionError if it never does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition never held"
        await pilot.pause(0.02)
    await pilot.pause()


@asynccontextmanager
async def opened(
    home: Home, size: tuple[int, int] = (80, 24), rows: int | None = None
) -> AsyncIterator[tuple[DdpmApp, Pilot[Any]]]:
    """The app over a home, with its table read (`rows` of them; None: any but none)."""
    app = DdpmApp(home)
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: table_of(app).total == rows if rows is not None else table_of(app).total)
        yield app, pilot
    app.store.close()


def runs_screen(app: DdpmApp) -> RunsScreen:
    screen = app.screen_stack[0]
    assert isinstance(screen, RunsScreen)
    return screen


def table_of(app: DdpmApp) -> Any:
    return runs_screen(app).table


def text_of(app: DdpmApp) -> str:
    """What is on the screen now, line by line, as characters."""
    width, height = app.size
    lines = app.screen._compositor.render_strips(app.screen.size)
    return "\n".join("".join(segment.text for segment in strip) for strip in lines[:height]) if width else ""


def names(app: DdpmApp) -> list[str]:
    return [row.name for row in table_of(app).rows]
