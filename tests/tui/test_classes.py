"""Names of a grid's rows: those of the classes, in the order in which the engine arranges them."""

from __future__ import annotations

import pytest
import torch

from ddpm.configfiles import resolve
from ddpm.grids import by_class
from tests.tui.building import add_grid, finish, home_at, make_run
from tests.tui.driving import opened, text_of, until
from tui import classes
from tui.widgets.filmstrip import Filmstrip


@pytest.mark.parametrize("labels", ["", "3,7", "7,3,3", "5"])
@pytest.mark.parametrize("count", [1, 2, 7, 10, 64])
def test_there_is_a_name_for_each_row_of_the_grid(labels: str, count: int) -> None:
    config, _ = resolve("digits", ["model.classes=10", f"sampling.labels={labels}"])
    pixels, columns = by_class(torch.zeros(count, 1, 8, 8, dtype=torch.uint8), config)
    assert columns is not None
    names = classes.rows(config.to_dict(), count)
    assert len(names) == len(pixels) // columns
    assert names[0] == (labels[0] if labels else "0")


def test_without_classes_there_are_none_and_what_is_no_configuration_has_none() -> None:
    assert classes.rows(resolve("digits")[0].to_dict(), 16) == ()
    for config in ({}, {"model": 3}, {"model": {"classes": "x"}}, {"model": {"classes": 10}, "sampling": []}):
        assert classes.rows(config, None) == ()
    assert classes.rows({"model": {"classes": 10}, "sampling": {"labels": "abc"}}, 3) == ("0", "1", "2")


def test_known_classes_have_names_and_others_numbers() -> None:
    assert classes.name("cifar10", 3) == "cat"
    assert classes.name("fashion-mnist", 9) == "ankle boot"
    assert (classes.name("mnist", 3), classes.name("cifar10", 12), classes.name(None, 1)) == ("3", "12", "1")


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_labels_stand_beside_their_rows(tmp_path, size) -> None:
    home = home_at(tmp_path / "home")
    run = make_run(home, "alpha", settings=("model.classes=10",), end=None)
    add_grid(run, 200, 25_600)  # of 16 images: ten rows
    finish(run, "finished", 200, 25_600)
    async with opened(home, size) as (app, pilot):
        await pilot.press("enter")
        await pilot.press("2")
        await until(pilot, lambda: any(strip.picture.drawn for strip in app.screen.query(Filmstrip)))
        picture = app.screen.query_one(Filmstrip).picture
        picture.zoom = 1.0
        await until(pilot, lambda: picture.drawn.share == 1.0)
        region = picture.region
        lines = text_of(app).splitlines()[region.y : region.bottom]
        before = [line[region.x : region.right].split("▀")[0].strip() for line in lines]
        found = [(place, word) for place, word in enumerate(before) if word.isdigit()]
        assert [word for _, word in found] == [str(label) for label in range(10)]
        height = len(picture.drawn.rows)
        top = found[0][0] - int(0.5 / 10 * height)
        assert [place for place, _ in found] == [top + int((i + 0.5) / 10 * height) for i in range(10)]
