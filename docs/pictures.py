"""Makes the pictures of the README: drives the app over a real home by keys and exports its screens as SVG.

    python docs/pictures.py HOME --training RUN --sampling RUN --other RUN
    python docs/pictures.py HOME --evaluated RUN
    python docs/pictures.py HOME --restoring RUN
    python docs/pictures.py HOME --trying RUN
    python docs/pictures.py HOME --result RUN      docs/results/RUN-fid.svg: how its FID fell

Each RUN is the name of one in HOME. Nothing in HOME is changed.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Static

from runs import home
from tui.app import DdpmApp
from tui.screens.runs import RunsScreen

FOLDER = Path(__file__).parent / "pictures"
RESULTS = Path(__file__).parent / "results"
SIZE = (132, 40)
#: The key of the scores among the panes of a training run.
SCORES = "3"


async def settle(pilot: Pilot[None], seconds: float = 2.0) -> None:
    """Lets background reads and their paint happen."""
    await pilot.pause(seconds)
    await pilot.app.animator.wait_for_idle()
    await pilot.pause()


async def find(pilot: Pilot[None], name: str) -> None:
    """Puts the cursor on a run by filtering for it, and passing by those whose names are longer."""
    await pilot.press("slash")
    await pilot.press(*["backspace"] * 40, *name, "enter", "home")
    await settle(pilot)
    screen = pilot.app.screen
    assert isinstance(screen, RunsScreen)
    for _ in range(screen.table.total):
        chosen = screen.chosen()
        if chosen is not None and chosen.name == name:
            return
        await pilot.press("down")
        await pilot.pause()
    raise SystemExit(f"there is no run {name}")


def export(app: DdpmApp, name: str, folder: Path = FOLDER) -> None:
    """One screen as SVG, with a font that needs no download."""
    svg = app.export_screenshot(title="ddpm-tui")
    svg = re.sub(r"@font-face\s*{.*?}", "", svg, flags=re.DOTALL)
    svg = re.sub(r"Fira Code", "DejaVu Sans Mono, Menlo, Consolas", svg)
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.svg").write_text(svg, encoding="utf-8")


async def of_runs(app: DdpmApp, pilot: Pilot[None], training: str, sampling: str, other: str) -> None:
    await find(pilot, training)
    await pilot.press("slash", *["backspace"] * 40, "enter")
    await settle(pilot)
    export(app, "runs")
    await find(pilot, training)
    await pilot.press("enter")
    await settle(pilot)
    export(app, "run")
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


async def open_scores(pilot: Pilot[None], evaluated: str) -> None:
    await find(pilot, evaluated)
    await pilot.press("enter")
    await settle(pilot)
    await pilot.press(SCORES)
    await settle(pilot)


async def of_evaluations(app: DdpmApp, pilot: Pilot[None], evaluated: str) -> None:
    await open_scores(pilot, evaluated)
    export(app, "scores")
    await pilot.press("escape", "L")
    await settle(pilot)
    export(app, "leaderboard")


async def of_restoration(app: DdpmApp, pilot: Pilot[None], restoring: str) -> None:
    await find(pilot, restoring)
    await pilot.press("enter")
    await settle(pilot)
    export(app, "restoring")


async def until(pilot: Pilot[None], words: str, seconds: int = 300) -> None:
    """Waits for what the screen of tries says of its work."""
    for _ in range(seconds):
        await pilot.pause(1)
        for state in pilot.app.screen.query("#live-state").results(Static):
            if words in str(state.render()):
                return
    raise SystemExit(f"{words!r} never came")


async def of_trying(app: DdpmApp, pilot: Pilot[None], trying: str) -> None:
    """Solvers side by side, once all of them have drawn."""
    await find(pilot, trying)
    await pilot.press("t")
    await until(pilot, "NFE")
    await pilot.press("c")
    await until(pilot, "The same noise in every cell")
    await pilot.press(*["down"] * 4)  # past DDPM, which draws noise in so few steps
    await settle(pilot)
    export(app, "try")


async def pictures(args: argparse.Namespace) -> None:
    app = DdpmApp(home.find(args.home))
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot, 4)
        if args.evaluated:
            await of_evaluations(app, pilot, args.evaluated)
        elif args.result:
            await open_scores(pilot, args.result)
            export(app, f"{args.result}-fid", RESULTS)
        elif args.restoring:
            await of_restoration(app, pilot, args.restoring)
        elif args.trying:
            await of_trying(app, pilot, args.trying)
        else:
            await of_runs(app, pilot, args.training, args.sampling, args.other)


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes the pictures of the README.")
    parser.add_argument("home")
    parser.add_argument("--training", help="a training run, with --sampling and --other")
    parser.add_argument("--sampling", help="a sampling run of it")
    parser.add_argument("--other", help="another training run, to compare it with")
    parser.add_argument("--evaluated", help="a training run with evaluations: the pictures of those")
    parser.add_argument("--restoring", help="a restoring run: its picture")
    parser.add_argument("--trying", help="a training run with a checkpoint: its network drawn by all solvers")
    parser.add_argument("--result", help="a training run with evaluations: the picture of its scores")
    args = parser.parse_args()
    alone = args.evaluated or args.restoring or args.trying or args.result
    if not alone and not (args.training and args.sampling and args.other):
        parser.error("--training, --sampling and --other are needed, or one of the rest alone")
    asyncio.run(pictures(args))


if __name__ == "__main__":
    main()
