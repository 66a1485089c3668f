"""The scores of a training's checkpoints: FID over time with its floor, and the table below."""

from __future__ import annotations

import os

import pytest

from ddpm import events
from runs.directory import take_lock
from runs.rows import EvaluationRow
from tests.tui.building import FLOOR, evaluated, home_at, make_evaluation, make_run, record
from tests.tui.driving import opened, text_of, until
from tests.tui.test_scores import found
from tui.panes.evaluation import EvaluationPane, lines
from tui.screens.evaluating import EvaluatingScreen
from tui.screens.run import RunScreen
from tui.widgets.chart import LineChart


@pytest.fixture
def home(tmp_path):
    return home_at(tmp_path / "home")


async def pane_of(app, pilot) -> EvaluationPane:
    await pilot.press("end", "enter")  # the first of all runs
    await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen._detail is not None)
    await pilot.press("3")
    await until(pilot, lambda: app.screen.query(EvaluationPane))
    return app.screen.query_one(EvaluationPane)


def row(images: int, fid: float, protocol_id: str = "x", **changes) -> EvaluationRow:
    changes = {"seed": 0, **changes}
    return found(images_seen=images, fid=fid, protocol_id=protocol_id, **changes)


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_fid_falls_to_its_floor_and_each_number_has_its_own(home, size) -> None:
    alpha = make_run(home, "alpha")
    for step, fid in ((100, 61.0), (200, 14.3)):
        record(alpha, evaluated(step, fid))
    make_evaluation(home, alpha, evaluated(200, 11.9, samples=50_000, floor=None, kid=None, precision=None))
    async with opened(home, size) as (app, pilot):
        pane = await pane_of(app, pilot)
        await until(pilot, lambda: len(pane.table.rows) == 3)
        await until(pilot, lambda: "floor (test) 3.15" in text_of(app))
        rows = [line.split() for line in text_of(app).splitlines() if " samples" in line and "." in line]
        cells = {(words[0], words[1], words[2]) for words in rows}
        assert {("200", "11.90", "–"), ("200", "14.30", "3.15"), ("100", "61.00", "3.15")} <= cells
        assert "0.000" not in text_of(app).replace("0.00040", "")
        assert {len(line) for line in text_of(app).splitlines()} == {size[0]}


async def test_the_protocol_of_the_number_under_the_cursor_is_told(home) -> None:
    alpha = make_run(home, "alpha")
    record(alpha, evaluated(200, 14.3), "2026-11-23T15:00:00Z")
    record(alpha, evaluated(200, 11.9, samples=50_000), "2026-11-23T16:00:00Z")
    async with opened(home, (120, 40)) as (app, pilot):
        await pane_of(app, pilot)
        await until(
            pilot,
            lambda: "CIFAR-10 train 50,000 · 50,000 samples · ddim 50 · EMA · floor: test" in text_of(app),
        )
        await pilot.press("down")
        await until(
            pilot,
            lambda: "CIFAR-10 train 50,000 · 10,000 samples · ddim 50 · EMA · floor: test" in text_of(app),
        )


async def test_enter_opens_the_run_that_found_it(home) -> None:
    alpha = make_run(home, "alpha")
    record(alpha, evaluated(100, 61.0), "2026-11-23T15:00:00Z")
    make_evaluation(home, alpha, evaluated(200, 11.9))
    async with opened(home) as (app, pilot):
        pane = await pane_of(app, pilot)
        await until(pilot, lambda: len(pane.table.rows) == 2)
        by = {r.run_name: place for place, r in enumerate(pane.table.rows)}
        pane.table.move_to(by["alpha"])
        await pilot.press("enter")
        await until(pilot, lambda: "this run found it while training" in text_of(app))
        pane.table.move_to(by["alpha-evaluate-1"])
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, EvaluatingScreen))


async def test_without_scores_the_way_to_some_is_told(home) -> None:
    make_run(home, "alpha")
    async with opened(home) as (app, pilot):
        await pane_of(app, pilot)
        await until(pilot, lambda: "No evaluation yet. E evaluates a checkpoint" in text_of(app))
        assert "l log scale" not in text_of(app)


async def test_a_training_that_evaluates_itself_says_so_and_its_score_appears(home) -> None:
    run = make_run(home, "alpha", done=100, end=None)
    lock = take_lock(run.path)
    try:
        async with opened(home, (120, 40)) as (app, pilot):
            pane = await pane_of(app, pilot)
            record(run, events.Evaluating(100, 12_800, "samples", 30, 120, 5.0))
            await until(pilot, lambda: "evaluating: samples 30 of 120" in text_of(app))
            record(run, evaluated(100, 61.0))
            await until(pilot, lambda: len(pane.table.rows) == 1)
            await until(pilot, lambda: "FID 61.00 (10,000 tf), floor 3.15" in text_of(app))
            assert "evaluating:" not in text_of(app)
    finally:
        os.close(lock)


async def test_the_axis_is_logarithmic_at_first_and_remembered(home) -> None:
    record(make_run(home, "alpha"), evaluated(100, 61.0))
    async with opened(home) as (app, pilot):
        pane = await pane_of(app, pilot)
        await until(pilot, lambda: len(pane.table.rows) == 1)
        assert pane.query_one(LineChart).y_log
        await pilot.press("l")
        assert not pane.query_one(LineChart).y_log
        assert not app.settings.fid_log_scale
        assert app.settings.log_scale is False


# -- the lines of the chart -------------------------------------------------------------------------


def test_one_protocol_is_one_line_with_its_floor_across() -> None:
    fid, floor = lines([row(200, 14.3), row(100, 61.0)])
    assert (fid.name, floor.name) == ("FID", "floor (test)")
    assert [(p.x, p.mean) for p in fid.points] == [(100, 61.0), (200, 14.3)]
    assert [(p.x, p.mean) for p in floor.points] == [(0, 3.15), (100, 3.15), (200, 3.15)]
    assert fid.marked
    assert floor.dashed


def test_several_seeds_of_a_checkpoint_are_one_point() -> None:
    fid, _ = lines([row(100, 14.0, seed=0), row(100, 16.0, seed=1)])
    assert [(p.x, p.low, p.high, p.mean) for p in fid.points] == [(100, 14.0, 16.0, 15.0)]


def test_protocols_are_lines_of_their_own_and_equal_floors_one() -> None:
    many = evaluated(1, 1.0, samples=50_000)
    other = {"protocol": many.protocol, "protocol_id": "y"}
    names = [line.name for line in lines([row(100, 14.0), row(100, 12.0, **other)])]
    assert names == ["10,000 samples", "50,000 samples", "floor (test)"]
    apart = lines([row(100, 14.0), row(100, 12.0, floor={**FLOOR, "fid": 2.0}, **other)])
    assert [line.name for line in apart[2:]] == [
        "floor (test) (10,000 samples)",
        "floor (test) (50,000 samples)",
    ]


def test_what_has_no_place_on_the_axis_is_in_no_line() -> None:
    (line,) = lines([found(images_seen=None, floor=None)])
    assert not line.points
    assert lines([]) == []


def test_a_floor_far_below_is_not_drawn() -> None:
    assert len(lines([row(100, 25.0), row(200, 40.0)])) == 2
    assert len(lines([row(100, 100.3), row(200, 40.0)])) == 1


def test_one_protocol_can_be_drawn_alone() -> None:
    rows = [row(100, 14.0, "x"), row(200, 12.0, "x"), row(100, 9.0, "y")]
    (fid, floor) = lines(rows, "x")
    assert [point.mean for point in fid.points] == [14.0, 12.0]
    assert floor.dashed


async def test_of_many_protocols_that_under_the_cursor_is_drawn(home) -> None:
    alpha = make_run(home, "alpha")
    for place in range(6):
        samples = 1000 * (1 + place)
        at = f"2026-11-23T15:0{place}:00Z"
        record(alpha, evaluated(200, 10.0 + place, samples=samples), at)
    async with opened(home, (120, 40)) as (app, pilot):
        pane = await pane_of(app, pilot)
        await until(pilot, lambda: len(pane.table.rows) == 6)
        await until(pilot, lambda: "of 6 protocols that under the cursor" in text_of(app))
        chart = pane.query_one(LineChart)
        await until(pilot, lambda: [point.mean for point in chart.series[0].points] == [15.0])
        await pilot.press("down")
        await until(pilot, lambda: [point.mean for point in chart.series[0].points] == [14.0])
