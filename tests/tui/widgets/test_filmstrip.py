"""Scrubbing through pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.tui.widgets.hosts import Host, until
from tui.widgets.filmstrip import Filmstrip, Frame, PositionBar


@pytest.fixture
def frames(tmp_path: Path) -> list[Frame]:
    made = []
    for i in range(5):
        Image.new("RGB", (4, 4), (i * 40, 0, 0)).save(tmp_path / f"{i}.png")
        made.append(Frame(tmp_path / f"{i}.png", f"step {i * 100}", i * 1000.0))
    return made


async def test_keys_move_and_tell(frames: list[Frame]) -> None:
    strip = Filmstrip(frames)
    app = Host(strip, kinds=(Filmstrip.Scrubbed,))
    async with app.run_test(size=(40, 15)) as pilot:
        strip.focus()
        assert strip.index == 4
        await pilot.press("right")
        await pilot.pause()
        assert not app.seen
        await pilot.press("left", "left")
        await pilot.pause()
        assert [m.index for m in app.seen if isinstance(m, Filmstrip.Scrubbed)] == [3, 2]
        assert strip.picture.caption == "step 200"
        await until(pilot, lambda: strip.picture.drawn)
        await pilot.press("home")
        assert strip.index == 0
        await pilot.press("end")
        assert strip.index == 4


async def test_the_bar_shows_the_place(frames: list[Frame]) -> None:
    strip = Filmstrip(frames)
    async with Host(strip).run_test(size=(40, 15)) as pilot:
        bar = strip.query_one(PositionBar)
        assert bar.render().plain.endswith("●   5/5")
        assert bar.render().plain.count("┼") == 3
        await pilot.click(bar, offset=(0, 0))
        assert strip.index == 0
        await pilot.pause()
        assert bar.render().plain.startswith("●")


async def test_new_frames_move_on_only_at_the_end(frames: list[Frame]) -> None:
    strip = Filmstrip(frames[:3])
    async with Host(strip).run_test(size=(40, 15)) as pilot:
        strip.set_frames(frames[:4])
        assert strip.index == 3
        strip.focus()
        await pilot.press("home", "right")
        strip.set_frames(frames[1:])  # the oldest is gone: what is shown stays shown
        assert strip.frame == frames[1]
        assert strip.index == 0


async def test_frames_may_come_before_the_strip_is_on_screen(frames: list[Frame]) -> None:
    strip = Filmstrip()
    strip.set_frames(frames)
    async with Host(strip).run_test(size=(40, 15)) as pilot:
        await until(pilot, lambda: strip.picture.drawn)
        assert strip.picture.caption == "step 400"


async def test_linked_strips_follow_without_telling(frames: list[Frame]) -> None:
    strip = Filmstrip(frames)
    app = Host(strip, kinds=(Filmstrip.Scrubbed,))
    async with app.run_test(size=(40, 15)) as pilot:
        strip.scrub_to(x=1400.0)
        assert strip.index == 1
        strip.scrub_to(99)
        assert strip.index == 4
        await pilot.pause()
        assert not app.seen


async def test_space_plays_to_the_end_and_stops(frames: list[Frame], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Filmstrip, "SECONDS_PER_FRAME", 0.2)
    strip = Filmstrip(frames)
    async with Host(strip).run_test(size=(40, 15)) as pilot:
        strip.focus()
        await pilot.press("space")
        assert strip.playing
        await until(pilot, lambda: not strip.playing)
        assert strip.index == 4
        await pilot.press("home", "space", "space")
        assert not strip.playing


async def test_without_frames_nothing_happens() -> None:
    strip = Filmstrip()
    async with Host(strip).run_test(size=(40, 15)) as pilot:
        strip.focus()
        await pilot.press("left", "right", "home", "end", "space", "z")
        assert strip.index == -1
        assert strip.frame is None
        assert strip.query_one(PositionBar).render().plain == ""


async def test_z_goes_through_the_magnifications(frames: list[Frame]) -> None:
    strip = Filmstrip(frames)
    async with Host(strip).run_test(size=(40, 15)) as pilot:
        strip.focus()
        zooms = []
        for _ in range(3):
            await pilot.press("z")
            zooms.append(strip.picture.zoom)
        assert zooms == [2, 4, 1]
