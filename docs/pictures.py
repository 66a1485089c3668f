"""Makes the pictures of the README: drives the app over a real home by keys and exports its screens as SVG.

    python docs/pictures.py HOME TRAINING SAMPLING OTHER

TRAINING, SAMPLING and OTHER are names of runs in HOME: a training run, a sampling run of it, and another
training run to compare it with. Nothing in HOME is changed.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

from textual.pilot import Pilot

from runs import home
from tui.app import DdpmApp

FOLDER = Path(__file__).parent / "pictures"
SIZE = (132, 40)


async def settle(pilot: Pilot[None], seconds: float = 2.0) -> None:
    """Lets background reads and their paint happen."""
    await pilot.pause(seconds)
    await pilot.app.animator.wait_for_idle()
    await pilot.pause()


async def find(pilot: Pilot[None], name: str) -> None:
    """Puts the cursor on a run by filtering for it."""
    await pilot.press("slash")
    await pilot.press(*["backspace"] * 40, *name, "enter")
    await settle(pilot)


def export(app: DdpmApp, name: str) -> None:
    """One screen as SVG, with a font that needs no download."""
    svg = app.export_screenshot(title="ddpm-tui")
    svg = re.sub(r"@font-face\s*{.*?}", "", svg, flags=re.DOTALL)
    svg = re.sub(r"Fira Code", "DejaVu Sans Mono, Menlo, Consolas", svg)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.svg").write_text(svg, encoding="utf-8")


async def pictures(where: str, training: str, sampling: str, other: str) -> None:
    app = DdpmApp(home.find(where))
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot, 4)
        await find(pilot, training)
        await pilot.press("slash", *["backspace"] * 40, "enter")
        await settle(pilot)
        export(app, "runs")
        await find(pilot, training)
        await pilot.press("enter")
        await settle(pilot)
        export(app, "run")
        await pilot.press("2")
        await settle(pilot)
        export(app, "samples")
        await pilot.press("escape", "n")
        await settle(pilot, 3)
        export(app, "new")
        await pilot.press("escape")
        await find(pilot, sampling)
        await pilot.press("enter")
        await settle(pilot)
        await pilot.press(*["left"] * 12)
        await settle(pilot)
        export(app, "sampling")
        await pilot.press("escape")
        for name in (training, other):
            await find(pilot, name)
            await pilot.press("space")
        await pilot.press("slash", *["backspace"] * 40, "enter", "c")
        await settle(pilot, 3)
        export(app, "compare")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        raise SystemExit((__doc__ or "").strip())
    asyncio.run(pictures(*sys.argv[1:]))
